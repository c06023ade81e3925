//! A GraphQL document: parsing, choosing the operation, spreading fragments, reading literals. Knows no
//! schema.

use super::errors::GraphqlError;
use graphql_parser::Pos;
use graphql_parser::query::{
    Definition, Directive, Document, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    TypeCondition, Value as Literal, VariableDefinition,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The one operation of a request that is to run.
pub struct Operation<'d> {
    /// `Mutation` or `QueryRoot`.
    pub root: &'static str,
    /// How it is called in error paths: `mutation Name` or `query`.
    pub label: String,
    /// Declared variables.
    pub variables: &'d [VariableDefinition<'static, String>],
    /// What is asked for.
    pub selection: &'d SelectionSet<'static, String>,
    /// Named fragments of the document.
    pub fragments: BTreeMap<&'d str, &'d FragmentDefinition<'static, String>>,
    /// Where the operation starts.
    pub position: Pos,
}

/// Parses a document; every later step borrows from it.
pub fn parse(query: &str) -> Result<Document<'static, String>, GraphqlError> {
    graphql_parser::parse_query::<String>(query).map(Document::into_static).map_err(|error| {
        let reason = error.to_string().replace('\n', " ");
        GraphqlError::new(format!("syntax error: {reason}"), "PARSE_ERROR")
    })
}

/// Picks the operation to run, by name when there are several.
pub fn select<'d>(
    document: &'d Document<'static, String>,
    name: Option<&str>,
) -> Result<Operation<'d>, GraphqlError> {
    let mut fragments = BTreeMap::new();
    let mut operations = Vec::new();
    for definition in &document.definitions {
        match definition {
            Definition::Fragment(fragment) => {
                fragments.insert(fragment.name.as_str(), fragment);
            }
            Definition::Operation(operation) => operations.push(operation),
        }
    }
    let named = |operation: &OperationDefinition<'static, String>| match operation {
        OperationDefinition::Query(query) => query.name.clone(),
        OperationDefinition::Mutation(mutation) => mutation.name.clone(),
        _ => None,
    };
    let chosen = match (name, operations.as_slice()) {
        (None, [only]) => Some(*only),
        (None, _) => None,
        (Some(name), all) => all.iter().copied().find(|operation| named(operation).as_deref() == Some(name)),
    };
    let label = |kind: &str, name: &Option<String>| match name {
        Some(name) => format!("{kind} {name}"),
        None => kind.to_owned(),
    };
    match chosen {
        Some(OperationDefinition::Mutation(mutation)) => Ok(Operation {
            root: "Mutation",
            label: label("mutation", &mutation.name),
            variables: &mutation.variable_definitions,
            selection: &mutation.selection_set,
            fragments,
            position: mutation.position,
        }),
        Some(OperationDefinition::Query(query)) => Ok(Operation {
            root: "QueryRoot",
            label: label("query", &query.name),
            variables: &query.variable_definitions,
            selection: &query.selection_set,
            fragments,
            position: query.position,
        }),
        Some(OperationDefinition::SelectionSet(selection)) => Ok(Operation {
            root: "QueryRoot",
            label: "query".to_owned(),
            variables: &[],
            selection,
            fragments,
            position: selection.span.0,
        }),
        Some(OperationDefinition::Subscription(_)) => Err(GraphqlError::new(
            "Schema is not configured for subscriptions",
            "missingSubscriptionConfiguration",
        )),
        None => Err(GraphqlError::new("An operation name is required", "BAD_REQUEST")),
    }
}

impl<'d> Operation<'d> {
    /// The fields of a selection on an object of `type_name`, fragments spread out, `@skip` and `@include`
    /// obeyed.
    pub fn fields(
        &self,
        type_name: &str,
        selection: &'d SelectionSet<'static, String>,
        variables: &Map<String, Value>,
    ) -> Vec<&'d Field<'static, String>> {
        let mut found = Vec::new();
        for item in &selection.items {
            match item {
                Selection::Field(field) if included(&field.directives, variables) => found.push(field),
                Selection::InlineFragment(inline)
                    if included(&inline.directives, variables)
                        && inline.type_condition.as_ref().is_none_or(|on| admits(on, type_name)) =>
                {
                    found.extend(self.fields(type_name, &inline.selection_set, variables));
                }
                Selection::FragmentSpread(spread) if included(&spread.directives, variables) => {
                    let fragment = self.fragments.get(spread.fragment_name.as_str());
                    if let Some(fragment) = fragment.filter(|found| admits(&found.type_condition, type_name))
                    {
                        found.extend(self.fields(type_name, &fragment.selection_set, variables));
                    }
                }
                _ => {}
            }
        }
        found
    }
}

fn admits(condition: &TypeCondition<'static, String>, type_name: &str) -> bool {
    let TypeCondition::On(on) = condition;
    on == type_name || on == "Node"
}

fn included(directives: &[Directive<'static, String>], variables: &Map<String, Value>) -> bool {
    directives.iter().all(|directive| {
        let condition = argument(&directive.arguments, "if", variables);
        match directive.name.as_str() {
            "skip" => condition != Value::Bool(true),
            "include" => condition != Value::Bool(false),
            _ => true,
        }
    })
}

/// The value of an argument; null when it is not given.
pub fn argument(
    arguments: &[(String, Literal<'static, String>)],
    name: &str,
    variables: &Map<String, Value>,
) -> Value {
    let given = arguments.iter().find(|(given, _)| given == name);
    given.map_or(Value::Null, |(_, value)| literal(value, variables))
}

/// A literal with its variables filled in.
pub fn literal(value: &Literal<'static, String>, variables: &Map<String, Value>) -> Value {
    match value {
        Literal::Variable(name) => variables.get(name).cloned().unwrap_or(Value::Null),
        Literal::Int(number) => number.as_i64().map_or(Value::Null, Value::from),
        Literal::Float(number) => Value::from(*number),
        Literal::String(text) | Literal::Enum(text) => Value::String(text.clone()),
        Literal::Boolean(flag) => Value::Bool(*flag),
        Literal::Null => Value::Null,
        Literal::List(items) => items.iter().map(|item| literal(item, variables)).collect(),
        Literal::Object(fields) => {
            // A variable without a value leaves its field out, which is not the same as null.
            let absent = |item: &Literal<'static, String>| matches!(item, Literal::Variable(name) if !variables.contains_key(name));
            let given = fields.iter().filter(|(_, item)| !absent(item));
            Value::Object(given.map(|(name, item)| (name.clone(), literal(item, variables))).collect())
        }
    }
}
