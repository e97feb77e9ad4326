//! `farms/settings.yaml`.

use crate::keys::SETTINGS;
use crate::reader::Reader;
use crate::settings::WorkspaceSettings;
use crate::yaml::Node;

/// Reads the settings of the workspace.
pub(crate) fn settings(reader: &mut Reader<'_>, node: &Node) -> WorkspaceSettings {
    let mut settings = WorkspaceSettings::default();
    let Some(mut fields) = reader.fields(node, &SETTINGS, "the workspace's settings") else {
        return settings;
    };
    if let Some(salt) = fields.take("salt").and_then(|node| reader.text(node, "`salt`")) {
        settings.salt = salt.value;
    }
    if let Some(epoch) = fields
        .take("source_date_epoch")
        .and_then(|node| reader.number(node, "`source_date_epoch`"))
    {
        settings.source_date_epoch = epoch.value;
    }
    fields.finish();
    settings
}
