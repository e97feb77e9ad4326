//! Settings of the whole workspace.

/// `farms/settings.yaml`; a workspace without the file has the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceSettings {
    /// Enters every key; empty by default.
    pub salt: String,
    /// `SOURCE_DATE_EPOCH` of everything: seconds since 1970.
    pub source_date_epoch: u64,
}

impl Default for WorkspaceSettings {
    fn default() -> Self {
        Self {
            salt: String::new(),
            source_date_epoch: 1_700_000_000,
        }
    }
}
