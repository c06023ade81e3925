//! Static validation of an operation against the schema, before anything is executed.

use super::document::Operation;
use super::errors::GraphqlError;
use super::schema::{self, Of};
use graphql_parser::Pos;
use graphql_parser::query::{Directive, Field, Selection, SelectionSet, TypeCondition, Value as Literal};
use serde_json::json;
use std::collections::BTreeSet;

/// Everything that is wrong with the operation as written.
pub fn validate<'d>(operation: &'d Operation<'d>) -> Vec<GraphqlError> {
    let mut check = Check { operation, errors: Vec::new(), used: BTreeSet::new(), path: Vec::new() };
    check.path.push(operation.label.clone());
    check.selection(operation.root, operation.selection, 0);
    let Check { mut errors, used, .. } = check;
    let declared: BTreeSet<&str> =
        operation.variables.iter().map(|variable| variable.name.as_str()).collect();
    for name in used.iter().filter(|name| !declared.contains(name.as_str())) {
        let message = format!("Variable ${name} is used by {} but not declared", operation.label);
        errors.push(GraphqlError::new(message, "variableNotDefined").at(operation.position));
    }
    for variable in operation.variables.iter().filter(|variable| !used.contains(&variable.name)) {
        let message = format!("Variable ${} is declared by {} but not used", variable.name, operation.label);
        errors.push(GraphqlError::new(message, "variableNotUsed").at(operation.position));
    }
    errors
}

/// Deeper than any document that is meant.
const MAX_DEPTH: usize = 24;

struct Check<'d> {
    operation: &'d Operation<'d>,
    errors: Vec<GraphqlError>,
    used: BTreeSet<String>,
    path: Vec<String>,
}

impl<'d> Check<'d> {
    fn selection(
        &mut self,
        type_name: &'static str,
        selection: &'d SelectionSet<'static, String>,
        depth: usize,
    ) {
        if depth > MAX_DEPTH {
            self.errors.push(GraphqlError::new("Query has exceeded its maximum depth", "BAD_REQUEST"));
            return;
        }
        for item in &selection.items {
            match item {
                Selection::Field(field) => self.field(type_name, field, depth),
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.directives);
                    let on = inline
                        .type_condition
                        .as_ref()
                        .map_or(type_name, |condition| known(condition, type_name));
                    self.selection(on, &inline.selection_set, depth + 1);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives);
                    match self.operation.fragments.get(spread.fragment_name.as_str()) {
                        Some(fragment) => {
                            let on = known(&fragment.type_condition, type_name);
                            self.selection(on, &fragment.selection_set, depth + 1);
                        }
                        None => {
                            let message =
                                format!("Fragment {} was used, but not defined", spread.fragment_name);
                            let error =
                                GraphqlError::new(message, "useAndDefineFragment").at(spread.position);
                            self.errors.push(error);
                        }
                    }
                }
            }
        }
    }

    fn field(&mut self, type_name: &'static str, field: &'d Field<'static, String>, depth: usize) {
        self.path.push(field.alias.as_ref().unwrap_or(&field.name).clone());
        self.directives(&field.directives);
        for (_, value) in &field.arguments {
            self.variables(value);
        }
        match schema::field(type_name, &field.name) {
            None => {
                let message = format!("Field '{}' doesn't exist on type '{type_name}'", field.name);
                self.refuse(
                    GraphqlError::new(message, "undefinedField")
                        .extension("typeName", json!(type_name))
                        .extension("fieldName", json!(field.name)),
                    field.position,
                );
            }
            Some(known) => {
                self.arguments(field, known.args);
                let empty = field.selection_set.items.is_empty();
                match known.of {
                    Of::Scalar if empty => {}
                    Of::Scalar => {
                        let message = format!("Selections can't be made on scalars (field '{}')", field.name);
                        self.refuse(GraphqlError::new(message, "selectionMismatch"), field.position);
                    }
                    Of::Object(of) | Of::List(of) | Of::Connection(of) if empty => {
                        let name = &field.name;
                        let message = format!(
                            "Field must have selections (field '{name}' returns {of} but has no selections. Did you mean '{name} {{ ... }}'?)"
                        );
                        self.refuse(GraphqlError::new(message, "selectionMismatch"), field.position);
                    }
                    Of::Object(of) | Of::List(of) | Of::Connection(of) => {
                        self.selection(of, &field.selection_set, depth + 1);
                    }
                }
            }
        }
        self.path.pop();
    }

    fn arguments(&mut self, field: &'d Field<'static, String>, known: &[(&str, &str)]) {
        for (name, _) in field.arguments.iter().filter(|(name, _)| !known.iter().any(|(arg, _)| arg == name))
        {
            let message = format!("Field '{}' doesn't accept argument '{name}'", field.name);
            self.refuse(GraphqlError::new(message, "argumentNotAccepted"), field.position);
        }
        let given = |name: &str| field.arguments.iter().any(|(given, _)| given == name);
        for (name, _) in known.iter().filter(|(name, of)| of.ends_with('!') && !given(name)) {
            let message = format!("Field '{}' is missing required arguments: {name}", field.name);
            self.refuse(GraphqlError::new(message, "missingRequiredArguments"), field.position);
        }
    }

    fn refuse(&mut self, error: GraphqlError, position: Pos) {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let error = error.at(position).path(&path);
        self.errors.push(error);
    }

    fn directives(&mut self, directives: &'d [Directive<'static, String>]) {
        for directive in directives {
            if !["idempotent", "include", "skip"].contains(&directive.name.as_str()) {
                let message = format!("Directive @{} is not defined", directive.name);
                self.errors.push(GraphqlError::new(message, "undefinedDirective").at(directive.position));
            }
            for (_, value) in &directive.arguments {
                self.variables(value);
            }
        }
    }

    fn variables(&mut self, value: &Literal<'static, String>) {
        match value {
            Literal::Variable(name) => {
                self.used.insert(name.clone());
            }
            Literal::List(items) => items.iter().for_each(|item| self.variables(item)),
            Literal::Object(fields) => fields.values().for_each(|item| self.variables(item)),
            _ => {}
        }
    }
}

fn known(condition: &TypeCondition<'static, String>, outer: &'static str) -> &'static str {
    let TypeCondition::On(on) = condition;
    let concrete =
        ["InventoryItem", "ProductVariant", "Location", "InventoryLevel", "QueryRoot", "Mutation", "Order"];
    let possible = schema::possible(outer).iter().copied();
    concrete.into_iter().chain(possible).find(|name| name == on).unwrap_or(outer)
}
