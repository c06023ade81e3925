//! Input values: whether they fit their declared type, and the exact words in which they do not.

use super::errors::GraphqlError;
use super::schema;
use graphql_parser::query::{Type, VariableDefinition};
use serde_json::{Map, Value, json};

/// One reason why a value does not fit.
#[derive(Debug, PartialEq)]
pub struct Problem {
    path: Vec<String>,
    explanation: String,
}

/// The values of all declared variables, or the errors that Shopify would give for them.
pub fn coerce(
    declared: &[VariableDefinition<'static, String>],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<GraphqlError>> {
    let mut values = Map::new();
    let mut errors = Vec::new();
    for definition in declared {
        let wanted = spell(&definition.var_type);
        let value = match given.get(&definition.name) {
            Some(value) => value.clone(),
            None => match &definition.default_value {
                Some(default) => super::document::literal(default, &Map::new()),
                None if wanted.ends_with('!') => Value::Null,
                None => continue,
            },
        };
        let problems = check(&wanted, &value);
        if problems.is_empty() {
            values.insert(definition.name.clone(), value);
        } else {
            errors.push(invalid(definition, &wanted, &value, &problems));
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

fn invalid(
    definition: &VariableDefinition<'static, String>,
    wanted: &str,
    value: &Value,
    problems: &[Problem],
) -> GraphqlError {
    let said: Vec<String> = problems
        .iter()
        .filter(|problem| !problem.path.is_empty())
        .map(|problem| format!("{} ({})", problem.path.join("."), problem.explanation))
        .collect();
    let reasons = if said.is_empty() { String::new() } else { format!(" for {}", said.join(", ")) };
    let message =
        format!("Variable ${} of type {wanted} was provided invalid value{reasons}", definition.name);
    let listed: Vec<Value> = problems
        .iter()
        .map(|problem| json!({"path": problem.path, "explanation": problem.explanation}))
        .collect();
    GraphqlError::new(message, "INVALID_VARIABLE")
        .at(definition.position)
        .extension("value", value.clone())
        .extension("problems", Value::Array(listed))
}

/// How a type is written in a document.
pub fn spell(of: &Type<'static, String>) -> String {
    match of {
        Type::NamedType(name) => name.clone(),
        Type::ListType(inner) => format!("[{}]", spell(inner)),
        Type::NonNullType(inner) => format!("{}!", spell(inner)),
    }
}

/// Everything that is wrong with a value of the wanted type.
pub fn check(wanted: &str, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(wanted, value, &mut Vec::new(), &mut problems);
    problems
}

fn walk(wanted: &str, value: &Value, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    let mut complain = |path: &[String], explanation: String| {
        problems.push(Problem { path: path.to_vec(), explanation });
    };
    let (wanted, required) = match wanted.strip_suffix('!') {
        Some(inner) => (inner, true),
        None => (wanted, false),
    };
    if value.is_null() {
        if required {
            complain(path, "Expected value to not be null".to_owned());
        }
        return;
    }
    if let Some(inner) = wanted.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // A single value stands for a list of one.
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for (index, item) in items.iter().enumerate() {
            path.push(index.to_string());
            walk(inner, item, path, problems);
            path.pop();
        }
        return;
    }
    let Some(fields) = schema::input(wanted) else {
        if let Err(explanation) = scalar(wanted, value) {
            complain(path, explanation);
        }
        return;
    };
    let Some(object) = value.as_object() else {
        complain(path, format!("Expected {value} to be a key-value object."));
        return;
    };
    for (name, of) in fields {
        path.push((*name).to_owned());
        walk(of, object.get(*name).unwrap_or(&Value::Null), path, problems);
        path.pop();
    }
    for name in object.keys().filter(|name| !fields.iter().any(|(known, _)| known == name)) {
        path.push(name.clone());
        problems
            .push(Problem { path: path.clone(), explanation: format!("Field is not defined on {wanted}") });
        path.pop();
    }
}

fn scalar(wanted: &str, value: &Value) -> Result<(), String> {
    match wanted {
        "Money" if value.as_str().is_some_and(|text| text.parse::<f64>().is_ok()) => Ok(()),
        "Int" if value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => Ok(()),
        "String" if value.is_string() => Ok(()),
        "Boolean" if value.is_boolean() => Ok(()),
        "ID" => match value.as_str() {
            Some(id) if is_gid(id) => Ok(()),
            Some(id) => Err(format!("Invalid global id '{id}'")),
            None => Err(format!("Invalid global id '{value}'")),
        },
        named if schema::values(named).is_some() => {
            let values = schema::values(named).unwrap_or_default();
            if value.as_str().is_some_and(|value| values.contains(&value)) {
                return Ok(());
            }
            Err(format!("Expected {value} to be one of: {}", values.join(", ")))
        }
        "Int" | "String" | "Boolean" | "Money" => Err(format!("Could not coerce value {value} to {wanted}")),
        _ => Err(format!("{wanted} isn't a defined input type")),
    }
}

/// `gid://shopify/<Type>/<number>`, possibly with a query string.
fn is_gid(id: &str) -> bool {
    let Some((kind, number)) = id.strip_prefix("gid://shopify/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let number = number.split('?').next().unwrap_or_default();
    !kind.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ({})", self.path.join("."), self.explanation)
    }
}
