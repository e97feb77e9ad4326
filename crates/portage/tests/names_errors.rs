//! What users read when a name is wrong: the place, the fault and the advice.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::lines::{
    BlockWord, Dialect, LineError, PackageFile, parse_block_line, parse_keywords, parse_masks, parse_set,
    parse_text_block, parse_use, parse_words,
};
use farm_portage::make_conf::MakeConf;

/// The text with its wrong part marked, the fault and the advice.
fn fault(text: &str, syntax: AtomSyntax) -> String {
    let error = Atom::parse(text, syntax).expect_err("a fault");
    let marked = format!(
        "{}{{{}}}{}",
        &text[..error.span.start],
        &text[error.span.clone()],
        &text[error.span.end..]
    );
    format!(
        "{marked} | {} | {}",
        error.problem,
        error.advice.as_deref().unwrap_or("-")
    )
}

#[test]
fn faults_in_atoms_are_located_and_advised() {
    let texts = [
        "",
        "!",
        "hepmc",
        "=hepmc-1",
        "a/b/c",
        "a/b-1.2",
        "!a/b-1.2:0[x]",
        "=a/b",
        ">=a/b:0[x]",
        "=a/b-c",
        "=a/b-1.2.x",
        "=a/b-1.2-R1",
        "a/b-1.2_rc-x",
        "=>a/b-1",
        "==a/b-1",
        "^a/b",
        "~=a/b-1",
        ">=a/b-1*",
        "=a/b-1-x2",
        "=a/b-1-02",
        "a/b:",
        "a/b:0*",
        "a/b:-x",
        "a/b::",
        "a/b:0:gentoo",
        "a/b[x",
        "a/b[]",
        "a/b[x,+y]",
        "a/b[x, y]",
        "a/b[-x?]",
        "a/b[!x]",
        "a/b[x(+),x]",
        "a/b[x]:0",
        "@hep",
        "a b/c",
        "-a/b",
        "a/b ",
        "dev-libs/**",
        "dev-*/foo-1.2",
        "=dev-*/foo-1",
        ">dev-*/foo-1",
        "*/*[x]",
        "a/ü",
    ];
    let mut table = String::new();
    for text in texts {
        writeln!(table, "{}", fault(text, AtomSyntax::USER)).expect("strings take all");
    }
    for text in ["*/*", "dev-libs/*", "=a/b-*9999*", "a/b::hep", "=a/b-1-2", "*/*::hep"] {
        writeln!(table, "{}", fault(text, AtomSyntax::EBUILD)).expect("strings take all");
    }
    insta::assert_snapshot!(table);
}

fn faults(text: &str, errors: &[LineError]) -> String {
    errors.iter().fold(String::new(), |mut all, error| {
        let advice = error.advice.as_deref().unwrap_or("-");
        writeln!(all, "{error} | `{}` | {advice}", &text[error.place.span.clone()]).expect("strings take all");
        all
    })
}

fn arches() -> BTreeSet<String> {
    ["amd64", "arm64", "x86"].map(str::to_owned).into()
}

#[test]
fn every_fault_of_a_file_is_reported_with_its_place() {
    let package_use = "# comment\na/b x -y\nb x\n\ta/b +x a,b VIDEO_CARDS: L10N: de\na/b[x] y\n*/* A-B: x # end\nä/b x";
    let parsed = parse_use(package_use, Dialect::USER);
    let keywords = "a/b ~amd64 **\na/b ~\na/b amd64~\n";
    let keyword_errors = parse_keywords(keywords, Dialect::USER).errors;
    let mask = "a/b\n-a/c\na/d x\n--a/e\n";
    let masks = parse_masks(mask, Dialect::USER);
    let license = "a/b MIT @FREE -X\n=a/b-1-2 Y\n";
    let licenses = parse_words(license, PackageFile::License, Dialect::USER);
    let set = "a/b # why\n@other\na/b x\n*/*\n!a/b\n@-x\n";
    let members = parse_set(set);
    let block = "a/b ~amd64 x amd64:\n@set ~amd64\na/b[x,-y]:0\na/b[x,-y] z\nc/d ~\n";
    let block_errors = parse_text_block(block, AtomSyntax::USER, &arches()).errors;
    let profile = "*/* x\na/b -*\na/b VIDEO_CARDS: x\na/b::hep x\n";
    let profile_errors = parse_use(profile, Dialect::PROFILE).errors;
    assert_eq!(
        (
            parsed.entries.len(),
            masks.entries.len(),
            licenses.entries.len(),
            members.entries.len()
        ),
        (3, 2, 1, 2)
    );
    insta::assert_snapshot!(
        [
            faults(package_use, &parsed.errors),
            faults(keywords, &keyword_errors),
            faults(mask, &masks.errors),
            faults(license, &licenses.errors),
            faults(set, &members.errors),
            faults(block, &block_errors),
            faults(profile, &profile_errors),
        ]
        .join("\n")
    );
}

#[test]
fn a_text_block_tells_keywords_from_flags() {
    let text = "# particles\n=sci-physics/geant-4.10.6_p2 ~amd64 gdml -c++11\n@hep-base\na/b amd64 -~arm64 ** ~* * -* -x86 VIDEO_CARDS: -* amdgpu amd64 ~x86 # why\n";
    let lines = parse_text_block(text, AtomSyntax::USER, &arches())
        .into_result()
        .expect("no fault");
    let shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let keywords: Vec<_> = line.keywords().map(ToString::to_string).collect();
            let flags: Vec<_> = line.use_values().map(farm_portage::lines::UseValue::expanded).collect();
            format!(
                "{} {} | {} | {}",
                line.place.line,
                line.member,
                keywords.join(" "),
                flags.join(" ")
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "2 =sci-physics/geant-4.10.6_p2 | ~amd64 | gdml -c++11",
            "3 @hep-base |  | ",
            "4 a/b | amd64 -~arm64 ** ~* * -x86 ~x86 | -* -video_cards_* video_cards_amdgpu video_cards_amd64",
        ]
    );
}

#[test]
fn a_list_element_is_exactly_one_line() {
    let line = parse_block_line("a/b ~amd64 x", AtomSyntax::USER, &arches()).expect("a line");
    assert!(matches!(line.words[0].value, BlockWord::Keyword(_)) && matches!(line.words[1].value, BlockWord::Use(_)));
    assert_eq!(
        (line.words[1].place.column, line.words[1].place.span.clone()),
        (12, 11..12)
    );
    for text in ["", "# nothing", "a/b\nc/d"] {
        assert_eq!(
            parse_block_line(text, AtomSyntax::USER, &arches())
                .expect_err("a fault")
                .len(),
            1,
            "{text:?}"
        );
    }
}

#[test]
fn faults_in_make_conf_say_their_line() {
    let texts = [
        "A=\"x\"\nCFLAGS=-O2 -g\n",
        "A=\nB=x\n",
        "A=\"x\n",
        "\n1A=x\n",
        "A x\n",
        "A=x\\",
        "A=a=b\n",
        "export",
    ];
    let shown: Vec<String> = texts
        .iter()
        .map(|text| match MakeConf::parse(text) {
            Ok(conf) => format!("{text:?}: {} assignments", conf.assignments.len()),
            Err(error) => format!("{text:?}: {error} | {:?}", &text[error.span.clone()]),
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn make_conf_keeps_order_lines_and_variables() {
    let text = "# c\nexport USE=\"a \\\n  b ${USE}\"\nsource /etc/x.conf\nUSE='c' # why\n";
    let conf = MakeConf::parse(text).expect("a make.conf");
    let shown: Vec<_> = conf
        .assignments
        .iter()
        .map(|a| (a.key.as_str(), a.value(), a.line))
        .collect();
    assert_eq!(
        shown,
        [("USE", "a   b ${USE}".to_owned(), 2), ("USE", "c".to_owned(), 5)]
    );
    assert_eq!(conf.get("USE").map(|a| a.raw.as_str()), Some("c"));
    assert_eq!(
        (conf.sources[0].path.as_str(), conf.sources[0].line),
        ("/etc/x.conf", 4)
    );
}
