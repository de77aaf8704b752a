//! Compiles the .proto files with a compiler in Rust, so that no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "weir/admin/v1/admin.proto",
        "weir/admin/v1/backlog.proto",
        "weir/admin/v1/placement.proto",
    ];
    println!("cargo:rerun-if-changed=proto");
    let set = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure().compile_fds(set)?;
    Ok(())
}
