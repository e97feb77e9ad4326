//! `repos.conf`: sections of `key = value`, as much of it as says where a repository comes from.

/// A section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) sync_type: String,
    pub(crate) sync_uri: String,
}

/// Reads the sections of a file, but for `[DEFAULT]`.
pub(crate) fn read(file: &str, text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section {
                name: name.trim().to_owned(),
                file: file.to_owned(),
                line: index + 1,
                ..Section::default()
            });
        } else if let (Some(section), Some((key, value))) = (sections.last_mut(), line.split_once('=')) {
            match key.trim() {
                "sync-type" => section.sync_type = value.trim().to_owned(),
                "sync-uri" => section.sync_uri = value.trim().to_owned(),
                _ => {}
            }
        }
    }
    sections.retain(|section| section.name != "DEFAULT");
    sections
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn sections_say_where_a_repository_comes_from() {
        let text = "[DEFAULT]\nmain-repo = gentoo\n\n[hep]\n# no\nsync-type = git\nsync-uri=https://a.example/b.git\n";
        let sections = read("f", text);
        assert_eq!(sections.len(), 1);
        assert_eq!((sections[0].name.as_str(), sections[0].line), ("hep", 4));
        assert_eq!(sections[0].sync_type, "git");
        assert_eq!(sections[0].sync_uri, "https://a.example/b.git");
    }
}
