//! What the real bash prints of its variables and functions is cut at the right places: after dropping some, bash reads
//! the rest back with the same values.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::process::Command;

use farm_portage::environment::{Environment, Item};
use fs_err as fs;
use proptest::prelude::*;

/// Functions with everything that could be taken for their end, or for a variable.
const FUNCTIONS: &str = r#"
plain() { echo plain; }
subshell() ( echo "sub shell" )
redirected() { echo hidden; } > /dev/null
with-dash() { echo dash; }
here() {
	cat <<EOF
}
declare -x DROP_1="here"
here2 ()
EOF
	cat <<-'END OF' | tr a b
	}
	END OF
}
literal() {
	echo "
}
declare -x DROP_2=\"literal\"
"
}
shift_left() { echo $((1 << 2)) $(( 3<<x )); }
word() { cat <<< "EOF"; }
last() { echo last; }
"#;

fn bash(script: &str, variables: &BTreeMap<String, String>) -> Vec<u8> {
    let mut command = Command::new("bash");
    command
        .args(["--norc", "--noprofile", "-c", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(variables);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bash_reads_the_rest_back(
        values in prop::collection::vec("(\\PC|[\n\t\"'$`\\\\ }{()a=<>#;!&|*~\u{1}\u{7f}\r]){0,40}", 1..6)
    ) {
        let mut variables = BTreeMap::new();
        for (index, value) in values.iter().enumerate() {
            variables.insert(format!("KEEP_{index}"), value.clone());
            variables.insert(format!("DROP_{index}"), value.clone());
        }
        let make = "declare -A TABLE=([\"$KEEP_0\"x]=\"$KEEP_0\"); LIST=( \"$KEEP_0\" \"$DROP_0\" ); declare -x BARE";
        let text = bash(&format!("{FUNCTIONS}\n{make}\ndeclare -p; declare -fp"), &variables);
        let mut environment = Environment::parse(&text).unwrap();
        prop_assert_eq!(environment.to_bytes(), text.clone());
        let names = |environment: &Environment| -> Vec<String> {
            let name = |item: &Item| match item {
                Item::Variable { name, .. } | Item::Function { name, .. } => Some(name.clone()),
                Item::Other(_) => None,
            };
            environment.items().iter().filter_map(name).collect()
        };
        let found = names(&environment);
        for name in variables.keys().map(String::as_str).chain(["TABLE", "LIST", "BARE", "plain", "here", "last"]) {
            prop_assert!(found.iter().any(|found| found == name), "{} is not found", name);
        }

        environment.retain(|item| match item {
            Item::Variable { name, .. } => name.starts_with("KEEP_") || name == "TABLE" || name == "LIST",
            Item::Function { name, .. } => name != "plain",
            Item::Other(_) => true,
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("environment");
        fs::write(&file, environment.to_bytes()).unwrap();
        let print = "for v in ${!KEEP_@} ${!DROP_@}; do printf '%s=%s\\0' \"$v\" \"${!v}\"; done; \
            printf '%s\\0' \"${TABLE[@]}\" \"${LIST[@]}\"; declare -fp";
        let again = bash(&format!("source '{}'; {print}", file.display()), &BTreeMap::new());
        variables.retain(|name, _| name.starts_with("KEEP_"));
        let functions = FUNCTIONS.replacen("plain() { echo plain; }\n", "", 1);
        let expected = bash(&format!("{functions}\nDROP_0=$OLD; {make}; unset DROP_0 OLD; {print}"), &{
            let mut variables = variables.clone();
            variables.insert("OLD".to_owned(), values[0].clone());
            variables
        });
        prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&expected));
    }
}
