//! How long functions are, from their first line to their last, comments included.

use syn::visit::{self, Visit};

use crate::sizes::{Kind, Measured};
use crate::tree::TextFile;

/// Every function of every Rust file that parses; rustc says enough about those that do not.
pub fn measure(files: &[TextFile]) -> Vec<Measured> {
    let mut measured = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Ok(syntax) = syn::parse_file(&file.text) else {
            continue;
        };
        let mut functions = Functions {
            path: &file.path,
            measured: &mut measured,
        };
        functions.visit_file(&syntax);
    }
    measured
}

struct Functions<'a> {
    path: &'a str,
    measured: &'a mut Vec<Measured>,
}

impl Functions<'_> {
    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = body.brace_token.span.close().end().line;
        self.measured.push(Measured {
            kind: Kind::Function,
            name: format!("{}::{}", self.path, signature.ident),
            lines: last + 1 - first,
        });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_items_impls_and_traits_are_measured() {
        let text = "fn a() {\n}\nstruct S;\nimpl S {\n    fn b(\n        &self,\n    ) {\n    }\n}\n\
                    trait T {\n    fn c();\n    fn d() {}\n}\n";
        let file = TextFile {
            path: "x.rs".to_owned(),
            text: text.to_owned(),
        };
        let measured = measure(&[file]);
        let found: Vec<(&str, usize)> = measured
            .iter()
            .map(|one| (one.name.as_str(), one.lines))
            .collect();
        assert_eq!(found, [("x.rs::a", 2), ("x.rs::b", 4), ("x.rs::d", 1)]);
    }
}
