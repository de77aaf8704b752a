//! The group section of [`weir_api::Engine`], with its signatures.

use tokio::sync::oneshot;
use uuid::Uuid;
use weir_api::{
    Caller, CommitOffset, CommittedOffset, Error, GroupDescription, GroupListing, JoinRequest,
    JoinedGroup, LeaveMember, Result, SyncRequest, SyncedGroup, TopicPartitionName,
};
use weir_core::group::{Claim, Join, Leave, Sync};
use weir_types::limits;

use super::{
    Groups,
    coordinator::{Command, Reply},
    groups::check_group_id,
};

/// Most members that one LeaveGroup may name.
const LEAVERS_MAX: usize = limits::GROUP_MEMBERS_MAX;

impl Groups {
    /// JoinGroup. Waits for the group's next generation: up to the rebalance timeout of its
    /// slowest member. Dropping the future does not undo the join.
    pub async fn join_group(&self, caller: &Caller, request: JoinRequest) -> Result<JoinedGroup> {
        check_group_id(&request.group)?;
        check_name(&request.member)?;
        check_name(&request.protocol_type)?;
        check_names(request.instance.iter())?;
        check_names(request.protocols.iter().map(|(name, _)| name))?;
        check_name(&caller.client_id)?;
        let join = Join {
            member: request.member,
            instance: request.instance,
            client_id: caller.client_id.clone(),
            client_host: caller
                .peer
                .map(|p| format!("/{}", p.ip()))
                .unwrap_or_default(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocol_type: request.protocol_type,
            protocols: request.protocols,
            require_known_member: request.require_known_member,
            unique: Uuid::new_v4().to_string(),
        };
        let group = request.group;
        self.ask(&group.clone(), |reply| Command::Join { group, join, reply })
            .await
    }

    /// SyncGroup. Waits for the leader's assignment, up to the rebalance timeout.
    pub async fn sync_group(&self, _caller: &Caller, request: SyncRequest) -> Result<SyncedGroup> {
        check_group_id(&request.group)?;
        let claim = claim(
            request.generation,
            &request.member,
            request.instance.as_deref(),
        )?;
        let sync = Sync {
            claim,
            protocol_type: request.protocol_type,
            protocol: request.protocol,
            assignments: request.assignments,
        };
        let group = request.group;
        self.ask(&group.clone(), |reply| Command::Sync { group, sync, reply })
            .await
    }

    pub async fn heartbeat(
        &self,
        _caller: &Caller,
        group: &str,
        generation: i32,
        member: &str,
        instance: Option<&str>,
    ) -> Result<()> {
        check_group_id(group)?;
        let claim = claim(generation, member, instance)?;
        let to = group.to_owned();
        self.ask(group, |reply| Command::Heartbeat {
            group: to,
            claim,
            reply,
        })
        .await
    }

    pub async fn leave_group(
        &self,
        _caller: &Caller,
        group: &str,
        members: Vec<LeaveMember>,
    ) -> Result<Vec<Result<()>>> {
        check_group_id(group)?;
        if members.len() > LEAVERS_MAX {
            return Err(Error::InvalidRequest("too many members".to_owned()));
        }
        let leave = |m: LeaveMember| Leave {
            member: m.member,
            instance: m.instance,
        };
        let members = members.into_iter().map(leave).collect();
        let to = group.to_owned();
        self.ask(group, |reply| Command::Leave {
            group: to,
            members,
            reply,
        })
        .await
    }

    /// Answered once the offsets are written and replicated. On `CoordinatorNotAvailable` for a
    /// partition its offset may or may not be there: commit again.
    pub async fn commit_offsets(
        &self,
        _caller: &Caller,
        group: &str,
        generation: i32,
        member: &str,
        instance: Option<&str>,
        offsets: Vec<CommitOffset>,
    ) -> Result<Vec<Result<()>>> {
        check_length(group)?;
        let claim = claim(generation, member, instance)?;
        let to = group.to_owned();
        self.ask(group, |reply| Command::Commit {
            group: to,
            claim,
            offsets,
            reply,
        })
        .await
    }

    /// Only what is written. An unknown group has committed nothing.
    pub async fn committed_offsets(
        &self,
        _caller: &Caller,
        group: &str,
        partitions: Option<Vec<TopicPartitionName>>,
    ) -> Result<Vec<CommittedOffset>> {
        check_length(group)?;
        let to = group.to_owned();
        self.ask(group, |reply| Command::Committed {
            group: to,
            partitions,
            reply,
        })
        .await
    }

    /// Groups that this broker coordinates, in order of their partition, then of their id.
    pub async fn list_groups(&self, _caller: &Caller) -> Result<Vec<GroupListing>> {
        let mut groups = Vec::new();
        for queue in self.inner.slots.all()? {
            let (reply, answer) = oneshot::channel();
            if queue.send(Command::List { reply }).await.is_ok() {
                groups.extend(answer.await.unwrap_or(Ok(Vec::new()))?);
            }
        }
        Ok(groups)
    }

    pub async fn describe_group(&self, _caller: &Caller, group: &str) -> Result<GroupDescription> {
        check_length(group)?;
        let to = group.to_owned();
        self.ask(group, |reply| Command::Describe { group: to, reply })
            .await
    }

    pub async fn delete_group(&self, _caller: &Caller, group: &str) -> Result<()> {
        check_length(group)?;
        let to = group.to_owned();
        self.ask(group, |reply| Command::DeleteGroup { group: to, reply })
            .await
    }

    pub async fn delete_offsets(
        &self,
        _caller: &Caller,
        group: &str,
        partitions: Vec<TopicPartitionName>,
    ) -> Result<Vec<Result<()>>> {
        check_length(group)?;
        let to = group.to_owned();
        self.ask(group, |reply| Command::DeleteOffsets {
            group: to,
            partitions,
            reply,
        })
        .await
    }

    /// Hands a command to the group's coordinator and waits for the answer.
    async fn ask<T>(&self, group: &str, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let partition = self.inner.partition_of(group)?;
        let queue = self.inner.slots.find(partition)?;
        let (reply, answer) = oneshot::channel();
        queue
            .send(command(reply))
            .await
            .map_err(|_| Error::NotCoordinator)?;
        answer.await.unwrap_or(Err(Error::NotCoordinator))
    }
}

fn claim(generation: i32, member: &str, instance: Option<&str>) -> Result<Claim> {
    check_name(member)?;
    let instance = instance.map(str::to_owned);
    check_names(instance.iter())?;
    Ok(Claim {
        generation,
        member: member.to_owned(),
        instance,
    })
}

/// Commits and queries may be about the group without a name, as Kafka allows.
fn check_length(group: &str) -> Result<()> {
    if group.len() > limits::NAME_BYTES_MAX {
        Err(Error::InvalidGroupId)
    } else {
        Ok(())
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.len() > limits::NAME_BYTES_MAX {
        return Err(Error::InvalidRequest("a name is too long".to_owned()));
    }
    Ok(())
}

fn check_names<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<()> {
    names.try_for_each(|name| check_name(name))
}
