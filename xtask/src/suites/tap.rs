//! Reads the Test Anything Protocol and judges strictly: the plan must be kept, nothing may be skipped or excused, and
//! a file that dies or prints no plan has failed.

/// What a file came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Tests that passed.
    pub passed: u64,
    /// What failed, each with its diagnosis.
    pub failures: Vec<String>,
}

/// Judges the lines of one file; `died` is the error that ended it early.
pub fn judge(lines: &[String], died: Option<String>) -> Verdict {
    let mut verdict = Verdict::default();
    let (mut plan, mut ran) = (None, 0_u64);
    let mut last_failed = false;
    for line in lines {
        if let Some(rest) = line.strip_prefix("1..") {
            plan = rest.trim().parse::<u64>().ok();
        } else if let Some(test) = result(line) {
            ran += 1;
            last_failed = !test.passed;
            if test.passed {
                verdict.passed += 1;
            } else {
                verdict.failures.push(line.clone());
            }
        } else if let Some(diagnosis) = line.strip_prefix('#') {
            // pgTAP's own summary repeats what is counted here.
            if let Some(failure) = verdict.failures.last_mut().filter(|_| last_failed) {
                failure.push_str(&format!("\n#{diagnosis}"));
            }
        }
    }
    if let Some(error) = died {
        verdict.failures.push(format!("died after test {ran}: {error}"));
    } else {
        match plan {
            None => verdict
                .failures
                .push("printed no plan: `select plan(n)` or `select * from finish()` is missing".into()),
            Some(plan) if plan != ran => verdict.failures.push(format!("planned {plan} tests but ran {ran}")),
            Some(_) => {}
        }
    }
    verdict
}

struct Test {
    passed: bool,
}

/// Reads `ok 1 - description` and `not ok 2 - description`; a skipped or excused test has not passed.
fn result(line: &str) -> Option<Test> {
    let (good, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return None,
    };
    let number = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    number.parse::<u64>().ok()?;
    let directive = rest.rsplit_once("# ").map(|(_, text)| text.to_ascii_uppercase()).unwrap_or_default();
    let excused = directive.starts_with("SKIP") || directive.starts_with("TODO");
    Some(Test { passed: good && !excused })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge_text(text: &str) -> Verdict {
        judge(&text.lines().map(str::to_owned).collect::<Vec<_>>(), None)
    }

    #[test]
    fn counts_what_passed_when_the_plan_is_kept() {
        let verdict = judge_text("1..2\nok 1 - a\nok 2 - b");
        assert_eq!(verdict, Verdict { passed: 2, failures: vec![] });
    }

    #[test]
    fn a_plan_may_come_last() {
        assert_eq!(judge_text("ok 1 - a\n1..1").failures, Vec::<String>::new());
    }

    #[test]
    fn a_failure_carries_its_diagnosis() {
        let verdict = judge_text("1..2\nok 1 - a\nnot ok 2 - b\n# Failed test 2: \"b\"\n#         have: 1");
        assert_eq!(verdict.passed, 1);
        assert_eq!(verdict.failures, ["not ok 2 - b\n# Failed test 2: \"b\"\n#         have: 1"]);
    }

    #[test]
    fn a_plan_that_is_not_kept_has_failed() {
        assert_eq!(judge_text("1..3\nok 1 - a").failures, ["planned 3 tests but ran 1"]);
        assert_eq!(judge_text("1..1\nok 1 - a\nok 2 - b").failures.len(), 1);
    }

    #[test]
    fn a_file_without_a_plan_has_failed() {
        assert_eq!(judge_text("ok 1 - a").failures.len(), 1);
        assert_eq!(judge_text("").failures.len(), 1);
    }

    #[test]
    fn a_file_that_dies_has_failed_whatever_it_printed() {
        let verdict = judge(&["1..1".into(), "ok 1 - a".into()], Some("division by zero".into()));
        assert_eq!(verdict.failures, ["died after test 1: division by zero"]);
    }

    #[test]
    fn a_skipped_or_excused_test_has_not_passed() {
        let verdict = judge_text("1..2\nok 1 - a # SKIP no time\nnot ok 2 - b # TODO later");
        assert_eq!((verdict.passed, verdict.failures.len()), (0, 2));
    }

    #[test]
    fn a_hash_in_a_description_is_no_directive() {
        assert_eq!(judge_text("1..1\nok 1 - scans #B12345").passed, 1);
    }
}
