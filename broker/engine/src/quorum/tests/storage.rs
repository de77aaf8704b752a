//! openraft's own suite of what it asks of a log and a state machine, over ours.

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;
use weir_core::cluster::Image;

use crate::quorum::log::Log;
use crate::quorum::machine::Machine;
use crate::quorum::store::Store;
use crate::quorum::types::Types;

/// Each test gets a folder of its own.
struct Folders;

impl StoreBuilder<Types, Log, Machine, TempDir> for Folders {
    async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError<Types>> {
        let folder = TempDir::new().expect("a folder");
        let store = Store::open(folder.path()).expect("an empty folder opens");
        let images = watch::channel(Arc::new(Image::default())).0;
        let machine = Machine::load(store.clone(), images)
            .await
            .expect("nothing to load");
        Ok((folder, Log::new(store), machine))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_and_machine_do_what_openraft_asks_of_them() {
    Suite::test_all(Folders)
        .await
        .expect("every case of the suite");
}
