//! The files of AWS's tools: sections with settings.

/// The value of a setting in a section; the last one if there are several.
pub(super) fn setting<'t>(text: &'t str, section: &str, name: &str) -> Option<&'t str> {
    let mut here = false;
    let mut found = None;
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || is_nested {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let title = title.trim();
            // `~/.aws/config` says `[profile NAME]` where `~/.aws/credentials` says `[NAME]`.
            here = title.strip_prefix("profile ").map_or(title, str::trim) == section;
        } else if let Some((key, value)) = line.split_once('=')
            && here
            && key.trim() == name
        {
            found = Some(value.trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_in_their_section() {
        let text = "# c\n[default]\nregion = a\n[profile farm]\nregion=b\ns3 =\n  region = nested\nregion = c\n[other]\nregion = d\n";
        assert_eq!(setting(text, "default", "region"), Some("a"));
        assert_eq!(setting(text, "farm", "region"), Some("c"));
        assert_eq!(setting(text, "none", "region"), None);
        assert_eq!(setting(text, "other", "output"), None);
    }
}
