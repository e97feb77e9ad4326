//! The domain: lowers a manifest to nodes, one file a rule.
