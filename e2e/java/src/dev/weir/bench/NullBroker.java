package dev.weir.bench;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiVersionsResponseData;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.message.MetadataRequestData;
import org.apache.kafka.common.message.MetadataResponseData;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.message.ProduceResponseData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * Acknowledges every write and keeps nothing: what a producer reaches against it is the client's
 * own ceiling on this machine. Every topic exists, with the partitions of the second argument.
 */
public final class NullBroker {
    private static final int FRAME_MAX = 128 << 20;
    private static final short PRODUCE_VERSION = 12;
    private static final short METADATA_VERSION = 12;

    private final int port;
    private final int partitions;

    private NullBroker(int port, int partitions) {
        this.port = port;
        this.partitions = partitions;
    }

    public static void main(String[] args) throws IOException {
        var broker = new NullBroker(Integer.parseInt(args[0]), Integer.parseInt(args[1]));
        try (var server = new ServerSocket(broker.port, 16, InetAddress.getLoopbackAddress())) {
            while (true) {
                Socket client = server.accept();
                client.setTcpNoDelay(true);
                Thread thread = new Thread(() -> broker.serve(client));
                thread.setDaemon(true);
                thread.start();
            }
        }
    }

    private void serve(Socket client) {
        try (client; var in = new DataInputStream(new BufferedInputStream(client.getInputStream(), 1 << 20))) {
            byte[] frame = new byte[1 << 20];
            while (true) {
                int length = in.readInt();
                if (length < 0 || length > FRAME_MAX) {
                    throw new IOException("a frame of " + length + " bytes");
                }
                frame = frame.length < length ? new byte[length] : frame;
                in.readFully(frame, 0, length);
                answer(ByteBuffer.wrap(frame, 0, length), client.getOutputStream());
            }
        } catch (EOFException gone) {
            // The client is done.
        } catch (IOException error) {
            System.err.println(error);
        }
    }

    private void answer(ByteBuffer frame, OutputStream out) throws IOException {
        RequestHeader header = RequestHeader.parse(frame);
        ApiMessage body = switch (header.apiKey()) {
            case API_VERSIONS -> versions();
            case METADATA -> metadata(new MetadataRequestData(new ByteBufferAccessor(frame), header.apiVersion()));
            case INIT_PRODUCER_ID -> new InitProducerIdResponseData().setProducerId(1).setProducerEpoch((short) 0);
            case PRODUCE -> produced(new ProduceRequestData(new ByteBufferAccessor(frame), header.apiVersion()));
            default -> throw new IOException("no answer to " + header.apiKey());
        };
        short headerVersion = header.apiKey().responseHeaderVersion(header.apiVersion());
        var head = MessageUtil.toByteBufferAccessor(
                new ResponseHeaderData().setCorrelationId(header.correlationId()), headerVersion).buffer();
        var rest = MessageUtil.toByteBufferAccessor(body, header.apiVersion()).buffer();
        ByteBuffer all = ByteBuffer.allocate(4 + head.remaining() + rest.remaining());
        all.putInt(head.remaining() + rest.remaining()).put(head).put(rest);
        out.write(all.array());
    }

    private static ApiVersionsResponseData versions() {
        var versions = new ApiVersionsResponseData.ApiVersionCollection();
        for (ApiKeys key : Arrays.asList(ApiKeys.API_VERSIONS, ApiKeys.METADATA, ApiKeys.INIT_PRODUCER_ID, ApiKeys.PRODUCE)) {
            short newest = switch (key) {
                case PRODUCE -> PRODUCE_VERSION;
                case METADATA -> METADATA_VERSION;
                default -> key.latestVersion(false);
            };
            versions.add(new ApiVersionsResponseData.ApiVersion()
                    .setApiKey(key.id).setMinVersion(key.oldestVersion()).setMaxVersion(newest));
        }
        return new ApiVersionsResponseData().setApiKeys(versions);
    }

    private MetadataResponseData metadata(MetadataRequestData request) {
        var response = new MetadataResponseData().setClusterId("null").setControllerId(0);
        response.brokers().add(new MetadataResponseData.MetadataResponseBroker()
                .setNodeId(0).setHost("127.0.0.1").setPort(port));
        if (request.topics() != null) {
            for (var asked : request.topics()) {
                var topic = new MetadataResponseData.MetadataResponseTopic().setName(asked.name())
                        .setTopicId(Uuid.METADATA_TOPIC_ID);
                for (int i = 0; i < partitions; i++) {
                    topic.partitions().add(new MetadataResponseData.MetadataResponsePartition().setPartitionIndex(i)
                            .setLeaderId(0).setLeaderEpoch(0).setReplicaNodes(Arrays.asList(0)).setIsrNodes(Arrays.asList(0)));
                }
                response.topics().add(topic);
            }
        }
        return response;
    }

    private static ProduceResponseData produced(ProduceRequestData request) {
        var response = new ProduceResponseData();
        for (var topic : request.topicData()) {
            var answer = new ProduceResponseData.TopicProduceResponse().setName(topic.name());
            for (var partition : topic.partitionData()) {
                answer.partitionResponses().add(new ProduceResponseData.PartitionProduceResponse()
                        .setIndex(partition.index()).setBaseOffset(0));
            }
            response.responses().add(answer);
        }
        return response;
    }
}
