//! An engine's stream of transfer events, as a few lines for people.

use std::collections::BTreeMap;

/// What is known of a transfer so far.
#[derive(Debug)]
pub(crate) struct Transfer {
    layers: BTreeMap<String, Layer>,
    said: String,
}

/// One layer on its way.
#[derive(Debug, Default)]
struct Layer {
    moved: u64,
    total: u64,
    done: bool,
}

impl Transfer {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        Self {
            layers: BTreeMap::new(),
            said: String::new(),
        }
    }

    /// Takes in one event, and returns a line when there is something new to say: an engine sends an event every 100
    /// milliseconds and layer, a line comes for every layer done and every tenth of the bytes known.
    pub(crate) fn event(
        &mut self,
        id: Option<&str>,
        status: &str,
        moved: Option<i64>,
        total: Option<i64>,
    ) -> Option<String> {
        // The first event of a pull has the tag for an id.
        let id = id.filter(|_| !status.starts_with("Pulling from"))?;
        let layer = self.layers.entry(id.to_owned()).or_default();
        match status {
            // Unpacking counts from the beginning again: only the wire is counted.
            "Downloading" | "Pushing" => {
                layer.moved = moved.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(layer.moved);
                layer.total = total
                    .and_then(|bytes| u64::try_from(bytes).ok())
                    .unwrap_or(layer.total)
                    .max(layer.moved);
            }
            _ if is_done(status) => {
                layer.done = true;
                layer.moved = layer.total;
            }
            _ => {}
        }
        let line = self.line();
        (line != self.said).then(|| {
            self.said.clone_from(&line);
            line
        })
    }

    /// Takes in an event of a push, from which the client drops the layer's id. Every layer is announced once and done once,
    /// so they can be counted without knowing which is which; the bytes between cannot.
    pub(crate) fn anonymous_event(&mut self, status: &str) -> Option<String> {
        let number = match status {
            "Preparing" => self.layers.len(),
            _ if is_done(status) => self.layers.values().filter(|layer| layer.done).count(),
            _ => return None,
        };
        self.event(Some(&format!("{number:04}")), status, None, None)
    }

    fn line(&self) -> String {
        let done = self.layers.values().filter(|layer| layer.done).count();
        let moved: u64 = self.layers.values().map(|layer| layer.moved).sum();
        let total: u64 = self.layers.values().map(|layer| layer.total).sum();
        let layers = format!("{done} of {} layers", self.layers.len());
        match (moved * 10).checked_div(total) {
            None => layers,
            Some(tenths) => format!("{layers}, {} % of {} MB", tenths * 10, total.div_ceil(1_000_000)),
        }
    }
}

/// Whether this is the last that is heard of a layer.
fn is_done(status: &str) -> bool {
    matches!(
        status,
        "Pull complete" | "Already exists" | "Pushed" | "Layer already exists"
    ) || status.starts_with("Mounted from")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_layers_without_names() {
        let mut transfer = Transfer::new();
        let events = [
            "Preparing",
            "Preparing",
            "Waiting",
            "Layer already exists",
            "Pushing",
            "Pushed",
            "t: digest: x",
        ];
        let lines: Vec<String> = events
            .iter()
            .filter_map(|status| transfer.anonymous_event(status))
            .collect();
        assert_eq!(
            lines,
            ["0 of 1 layers", "0 of 2 layers", "1 of 2 layers", "2 of 2 layers"]
        );
    }

    #[test]
    fn speaks_when_a_layer_or_a_tenth_is_done() {
        let mut transfer = Transfer::new();
        let mut lines = Vec::new();
        lines.extend(transfer.event(Some("latest"), "Pulling from x", None, None));
        lines.extend(transfer.event(Some("a"), "Pulling fs layer", None, None));
        lines.extend(transfer.event(Some("b"), "Already exists", None, None));
        for moved in (0..=20).map(|step| step * 1_000_000) {
            lines.extend(transfer.event(Some("a"), "Downloading", Some(moved), Some(20_000_000)));
        }
        lines.extend(transfer.event(Some("a"), "Extracting", Some(1), Some(20_000_000)));
        lines.extend(transfer.event(Some("a"), "Pull complete", None, None));
        lines.extend(transfer.event(None, "Status: Downloaded newer image", None, None));
        assert_eq!(lines[..2], ["0 of 1 layers", "1 of 2 layers"]);
        assert_eq!(lines[2], "1 of 2 layers, 0 % of 20 MB");
        assert_eq!(lines.last().unwrap(), "2 of 2 layers, 100 % of 20 MB");
        assert_eq!(lines.len(), 2 + 11 + 1, "{lines:?}");
    }
}
