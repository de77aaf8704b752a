//! Paths of one person's machine: they work for nobody else.

use crate::tree::TextFile;

pub fn check(files: &[TextFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(path) = needles().iter().find(|path| line.contains(path.as_str())) {
                let (name, line) = (&file.path, index + 1);
                found.push(format!(
                    "{name}:{line}: a path of somebody's machine ({path})"
                ));
            }
        }
    }
    found
}

/// Put together here, so that this file does not find itself.
fn needles() -> Vec<String> {
    let folders = ["root", "work", "tmp/bash_jobs", "Users"];
    let mut needles: Vec<String> = folders.iter().map(|folder| format!("/{folder}/")).collect();
    needles.push(format!("/{}/", "home/user"));
    needles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_with_its_line() {
        let file = TextFile {
            path: "notes.md".to_owned(),
            text: format!("fine\nsee {}main\n", needles()[1]),
        };
        let found = check(&[file]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("notes.md:2:"), "{}", found[0]);
    }
}
