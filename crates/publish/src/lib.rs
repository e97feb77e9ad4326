//! Puts packages on a binhost and images in a registry.
