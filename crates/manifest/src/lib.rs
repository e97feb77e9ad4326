//! From YAML to a typed, validated model in which every value knows its place.
