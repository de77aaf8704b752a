//! How long files may be.

use crate::tree::TextFile;

/// No file is longer, whatever the ratchet says.
pub const FILE_LINES_MAX: usize = 600;
/// Longer files are exceptions that the ratchet lists.
pub const FILE_LINES_USUAL: usize = 300;
/// Longer functions are exceptions that the ratchet lists.
pub const FUNCTION_LINES_USUAL: usize = 70;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    File,
    Function,
}

impl Kind {
    pub fn usual(self) -> usize {
        match self {
            Kind::File => FILE_LINES_USUAL,
            Kind::Function => FUNCTION_LINES_USUAL,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Function => "fn",
        }
    }
}

/// A file, or a function as `path::name`, with its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    pub kind: Kind,
    pub name: String,
    pub lines: usize,
}

pub fn files(files: &[TextFile]) -> Vec<Measured> {
    let code = files.iter().filter(|file| file.is_code());
    code.map(|file| Measured {
        kind: Kind::File,
        name: file.path.clone(),
        lines: file.line_count(),
    })
    .collect()
}

pub fn check_limit(measured: &[Measured]) -> Vec<String> {
    let long = |one: &&Measured| one.kind == Kind::File && one.lines > FILE_LINES_MAX;
    let found = measured.iter().filter(long);
    found
        .map(|one| {
            let Measured { name, lines, .. } = one;
            format!(
                "{name}: {lines} lines; no file has more than {FILE_LINES_MAX}, split it by concern"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: usize) -> Measured {
        Measured {
            kind: Kind::File,
            name: "a.rs".to_owned(),
            lines,
        }
    }

    #[test]
    fn a_file_past_the_limit_is_found_and_one_at_the_limit_is_not() {
        assert!(check_limit(&[file(FILE_LINES_MAX)]).is_empty());
        assert_eq!(check_limit(&[file(FILE_LINES_MAX + 1)]).len(), 1);
    }
}
