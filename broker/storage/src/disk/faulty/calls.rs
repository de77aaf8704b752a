//! What programs ask of the disk.

use super::{FaultyDisk, FaultyFile, FaultyLock, failed_sync};
use crate::disk::{
    Disk, Open,
    tree::{Content, Folder, Node},
};
use std::{
    io,
    path::{Path, PathBuf},
};

impl Disk for FaultyDisk {
    type File = FaultyFile;
    type Lock = FaultyLock;

    fn open(&self, path: &Path, how: Open) -> io::Result<FaultyFile> {
        let mut inner = self.inner();
        let ino = match inner.tree.find(path) {
            Ok(_) if how == Open::CreateNew => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(ino) => ino,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && matches!(how, Open::CreateNew | Open::CreateOrOpen) =>
            {
                if inner.free_bytes == Some(0) {
                    inner.counters.full_writes += 1;
                    return Err(io::ErrorKind::StorageFull.into());
                }
                let (parent, name) = inner.tree.parent(path)?;
                inner
                    .tree
                    .link(parent, name, Node::File(Content::default()))?
            }
            Err(error) => return Err(error),
        };
        inner.tree.content(ino)?;
        let boot = inner.boot;
        Ok(FaultyFile {
            disk: self.clone(),
            ino,
            boot,
            writable: how != Open::Read,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let (from_parent, from) = inner.tree.parent(from)?;
        let (to_parent, to) = inner.tree.parent(to)?;
        if from_parent != to_parent {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        if let Some(replaced) = inner.tree.rename(from_parent, &from, &to)? {
            let bytes = inner.tree.used_bytes(replaced);
            inner.give_back(bytes);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        inner.tree.content(ino)?;
        let (parent, name) = inner.tree.parent(path)?;
        inner.tree.unlink(parent, &name)?;
        let bytes = inner.tree.used_bytes(ino);
        inner.give_back(bytes);
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let mut so_far = PathBuf::new();
        for part in path.components() {
            so_far.push(part);
            if so_far.file_name().is_none() {
                continue;
            }
            match inner.tree.find(&so_far) {
                Ok(ino) => drop(inner.tree.folder(ino)?),
                Err(_) => {
                    let (parent, name) = inner.tree.parent(&so_far)?;
                    inner
                        .tree
                        .link(parent, name, Node::Folder(Folder::default()))?;
                }
            }
        }
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        inner.tree.folder(ino)?;
        let bytes = inner.tree.used_bytes(ino);
        let (parent, name) = inner.tree.parent(path)?;
        inner.tree.unlink(parent, &name)?;
        inner.give_back(bytes);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        Ok(inner.tree.folder(ino)?.names.keys().cloned().collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let ino = inner.tree.find(path)?;
        inner.tree.folder(ino)?;
        let fails = inner.fails_sync(true);
        let folder = inner.tree.folder(ino)?;
        if fails {
            folder.fail_sync();
            return Err(failed_sync());
        }
        folder.sync();
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner().tree.find(path).is_ok()
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.inner().free_bytes.unwrap_or(1 << 50))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<FaultyLock>> {
        drop(self.open(path, Open::CreateOrOpen)?);
        let mut inner = self.inner();
        let boot = inner.boot;
        let fresh = inner.locked.insert(path.to_owned());
        Ok(fresh.then(|| FaultyLock {
            disk: self.clone(),
            path: path.to_owned(),
            boot,
        }))
    }
}
