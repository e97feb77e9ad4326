use farm_resolver::{Answer, AnswerError, NodeRef, Outcome, closures};

const RECORDED: &str = include_str!("../fixtures/user.json");

#[test]
fn a_recorded_answer_is_read_and_unknown_fields_do_not_matter() {
    let text = RECORDED.replacen('{', "{\"new_field\": {\"x\": 1},", 1);
    let answer = Answer::parse(text.as_bytes()).unwrap();
    assert_eq!(answer.portage, "3.0.83");
    assert_eq!(answer.command.first().map(String::as_str), Some("emerge"));
    let Outcome::Plan(plan) = answer.outcome else {
        panic!("it is a plan")
    };
    assert_eq!(plan.packages.len(), 5);
    assert_eq!(plan.cpv(NodeRef::Package(4)), "dev-libs/user-1");
    assert_eq!(closures(&plan).unwrap()[4].packages, [0, 1, 2, 3]);
}

#[test]
fn a_missing_field_is_named() {
    let error = Answer::parse(RECORDED.replacen("\"slot\"", "\"slott\"", 1).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("missing field `slot`"), "{error}");
}

#[test]
fn answers_of_another_format_and_answers_without_content_are_refused() {
    let error = Answer::parse(RECORDED.replace("\"format\": 1", "\"format\": 2").as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the resolver program's answer has format 2, not 1");
    let error = Answer::parse(
        RECORDED
            .replace("\"outcome\": \"plan\"", "\"outcome\": \"refusal\"")
            .as_bytes(),
    )
    .unwrap_err();
    assert!(matches!(error, AnswerError::Empty(outcome) if outcome == "refusal"));
}

#[test]
fn an_index_that_points_nowhere_is_no_answer() {
    let error = Answer::parse(RECORDED.replacen("\"package\": 4", "\"package\": 44", 1).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("an index points at no package"), "{error}");
}

#[test]
fn a_crash_shows_what_was_printed_and_the_trace() {
    let text = r#"{"format": 1, "portage": "", "command": [], "warnings": "!!! bad\n", "outcome": "crash", "crash": "Traceback: x"}"#;
    let error = Answer::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("!!! bad") && error.ends_with("Traceback: x"), "{error}");
}
