//! Writes the Rust of all messages.

use crate::schema::{Api, Field, Kind, Struct, Versions};
use std::fmt::Write as _;

macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        // Writing to a string cannot fail.
        let _ = writeln!($out, $($arg)*);
    }};
}

pub fn emit(apis: &[Api]) -> String {
    let mut out = String::from("// Generated from schema/*.txt by build.rs.\n\n");
    emit_keys(apis, &mut out);
    for api in apis {
        line!(out, "/// {}", api.doc);
        line!(out, "pub mod {} {{", snake(&api.name));
        line!(out, "use crate::codec::prelude::*;");
        line!(
            out,
            "const FLEXIBLE_FROM: i16 = {};",
            api.flexible.unwrap_or(i16::MAX)
        );
        emit_struct(&api.request, &mut out);
        emit_struct(&api.response, &mut out);
        for kind in ["Request", "Response"] {
            emit_message(api, kind, &mut out);
        }
        line!(out, "}}\n");
    }
    emit_for_each(apis, &mut out);
    out
}

fn emit_keys(apis: &[Api], out: &mut String) {
    line!(out, "/// The APIs that Weir knows.");
    line!(
        out,
        "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum ApiKey {{"
    );
    for api in apis {
        line!(out, "/// {}\n{} = {},", api.doc, api.name, api.key);
    }
    line!(out, "}}\n\nimpl ApiKey {{");
    line!(
        out,
        "/// In order of key.\npub const ALL: [Self; {}] = [",
        apis.len()
    );
    for api in apis {
        line!(out, "Self::{},", api.name);
    }
    line!(out, "];\n/// Its number on the wire.");
    line!(out, "pub const fn number(self) -> i16 {{ self as i16 }}");
    line!(out, "/// `None`: an API that Weir does not know.");
    line!(
        out,
        "pub const fn from_number(number: i16) -> Option<Self> {{ Some(match number {{"
    );
    for api in apis {
        line!(out, "{} => Self::{},", api.key, api.name);
    }
    line!(out, "_ => return None, }}) }}");
    line!(
        out,
        "/// Versions that are served: least and greatest, inclusive."
    );
    line!(
        out,
        "pub const fn versions(self) -> (i16, i16) {{ match self {{"
    );
    for api in apis {
        line!(
            out,
            "Self::{} => ({}, {}),",
            api.name,
            api.versions.min,
            api.versions.max
        );
    }
    line!(
        out,
        "}} }}\n/// First version with compact lengths and tagged fields (KIP-482)."
    );
    line!(
        out,
        "pub const fn flexible_from(self) -> Option<i16> {{ match self {{"
    );
    for api in apis {
        line!(out, "Self::{} => {:?},", api.name, api.flexible);
    }
    line!(out, "}} }}\n}}\n");
}

fn emit_message(api: &Api, kind: &str, out: &mut String) {
    line!(out, "impl Message for {kind} {{");
    line!(out, "const KEY: ApiKey = ApiKey::{};", api.name);
    line!(
        out,
        "fn decode(v: i16, r: &mut Reader) -> Result<Self, DecodeError> {{"
    );
    line!(
        out,
        "r.set_flexible(v >= FLEXIBLE_FROM);\nSelf::read(v, r)\n}}"
    );
    line!(out, "fn encode(&self, v: i16, w: &mut Writer) {{");
    line!(
        out,
        "w.set_flexible(v >= FLEXIBLE_FROM);\nself.write(v, w);\n}}\n}}"
    );
    if kind == "Request" {
        line!(
            out,
            "impl RequestMessage for Request {{ type Response = Response; }}"
        );
    }
}

/// A macro that calls another one for every API: tests walk over all of them with it.
fn emit_for_each(apis: &[Api], out: &mut String) {
    line!(
        out,
        "#[cfg(test)]\nmacro_rules! for_each_api {{ ($each:ident) => {{"
    );
    for api in apis {
        line!(out, "$each!({}, {});", snake(&api.name), api.name);
    }
    line!(out, "}} }}\n#[cfg(test)]\npub(crate) use for_each_api;");
}

fn emit_struct(s: &Struct, out: &mut String) {
    line!(
        out,
        "#[derive(Clone, Debug, PartialEq)]\npub struct {} {{",
        s.name
    );
    for f in &s.fields {
        line!(out, "pub {}: {},", f.name, rust_type(f));
    }
    line!(
        out,
        "}}\nimpl Default for {} {{ fn default() -> Self {{ Self {{",
        s.name
    );
    for f in &s.fields {
        line!(out, "{}: {},", f.name, default_of(f));
    }
    line!(out, "}} }} }}\nimpl {} {{", s.name);
    emit_read(s, out);
    emit_write(s, out);
    emit_sample(s, out);
    line!(out, "}}");
    for f in &s.fields {
        if let Kind::Struct(inner) = &f.kind {
            emit_struct(inner, out);
        }
    }
}

fn emit_read(s: &Struct, out: &mut String) {
    line!(
        out,
        "fn read(v: i16, r: &mut Reader) -> Result<Self, DecodeError> {{"
    );
    line!(out, "let _ = v;\nlet mut m = Self::default();");
    for f in s.fields.iter().filter(|f| f.tag.is_none()) {
        line!(
            out,
            "if {} {{ m.{} = {}; }}",
            within(f.versions, s.versions),
            f.name,
            read_of(f)
        );
    }
    line!(out, "r.tags(|tag, r| {{ let _ = r; match tag {{");
    for f in &s.fields {
        if let Some(tag) = f.tag {
            let when = within(f.versions, s.versions);
            line!(out, "{tag} if {when} => m.{} = {},", f.name, read_of(f));
        }
    }
    line!(out, "_ => {{}} }} Ok(()) }})?;\nOk(m)\n}}");
}

fn emit_write(s: &Struct, out: &mut String) {
    line!(
        out,
        "fn write(&self, v: i16, w: &mut Writer) {{\nlet _ = v;"
    );
    for f in s.fields.iter().filter(|f| f.tag.is_none()) {
        line!(
            out,
            "if {} {{ {} }}",
            within(f.versions, s.versions),
            write_of(f)
        );
    }
    line!(out, "if w.flexible() {{");
    let tagged: Vec<&Field> = s.fields.iter().filter(|f| f.tag.is_some()).collect();
    line!(out, "#[allow(unused_mut)] let mut tags = 0;");
    for f in &tagged {
        let when = within(f.versions, s.versions);
        let name = &f.name;
        line!(
            out,
            "let {name}_set = {when} && self.{name} != {};",
            default_of(f)
        );
        line!(out, "tags += u32::from({name}_set);");
    }
    line!(out, "w.uvarint(tags);");
    for f in &tagged {
        let tag = f.tag.unwrap_or(0);
        line!(
            out,
            "if {}_set {{ w.tagged({tag}, |w| {{ {} }}); }}",
            f.name,
            write_of(f)
        );
    }
    line!(out, "}}\n}}");
}

fn emit_sample(s: &Struct, out: &mut String) {
    line!(
        out,
        "/// Random, but with defaults in fields that version `v` lacks."
    );
    line!(
        out,
        "#[cfg(test)]\npub(crate) fn sample(v: i16, g: &mut Gen) -> Self {{"
    );
    line!(out, "let _ = v;\nlet mut m = Self::default();");
    for f in &s.fields {
        let one = match &f.kind {
            Kind::Struct(inner) => format!("{}::sample(v, g)", inner.name),
            kind => format!("g.{}()", method(kind)),
        };
        let full = if f.array {
            format!("g.array(|g| {one})")
        } else {
            one
        };
        let value = match f.nullable {
            None => full,
            Some(n) => format!("g.option({}, |g| {full})", within(n, f.versions)),
        };
        line!(
            out,
            "if {} {{ m.{} = {value}; }}",
            within(f.versions, s.versions),
            f.name
        );
    }
    line!(out, "m\n}}");
}

fn read_of(f: &Field) -> String {
    let element = match &f.kind {
        Kind::Struct(inner) => format!("|r| {}::read(v, r)", inner.name),
        kind => format!("Reader::{}", method(kind)),
    };
    let (plain, nullable) = match (&f.kind, f.array) {
        (_, true) => (
            format!("r.array({element})?"),
            format!("r.nullable_array({element})?"),
        ),
        (Kind::Struct(inner), _) => {
            let read = format!("{}::read(v, r)?", inner.name);
            (
                read.clone(),
                format!("if r.is_present()? {{ Some({read}) }} else {{ None }}"),
            )
        }
        (kind, _) => {
            let method = method(kind);
            (format!("r.{method}()?"), format!("r.nullable_{method}()?"))
        }
    };
    match f.nullable {
        None => plain,
        Some(n) if n == f.versions => nullable,
        Some(n) => {
            format!(
                "if {} {{ {nullable} }} else {{ Some({plain}) }}",
                within(n, f.versions)
            )
        }
    }
}

fn write_of(f: &Field) -> String {
    let element = match &f.kind {
        Kind::Struct(_) => "|w, x| x.write(v, w)".to_owned(),
        Kind::String => "|w, x| w.string(x)".to_owned(),
        Kind::Bytes | Kind::Records => format!("|w, x| w.{}(x)", method(&f.kind)),
        kind => format!("|w, x| w.{}(*x)", method(kind)),
    };
    let name = &f.name;
    let Some(n) = f.nullable else {
        return match (&f.kind, f.array) {
            (_, true) => format!("w.array(&self.{name}, {element});"),
            (Kind::Struct(_), _) => format!("self.{name}.write(v, w);"),
            (Kind::String | Kind::Bytes | Kind::Records, _) => {
                format!("w.{}(&self.{name});", method(&f.kind))
            }
            (kind, _) => format!("w.{}(self.{name});", method(kind)),
        };
    };
    let when = within(n, f.versions);
    match (&f.kind, f.array) {
        (_, true) => format!("w.nullable_array({when}, self.{name}.as_deref(), {element});"),
        (Kind::Struct(_), _) => {
            format!(
                "w.present(self.{name}.is_some()); if let Some(x) = &self.{name} {{ x.write(v, w); }}"
            )
        }
        (Kind::String, _) => format!("w.nullable_string({when}, self.{name}.as_deref());"),
        (kind, _) => format!("w.nullable_{}({when}, self.{name}.as_ref());", method(kind)),
    }
}

/// A condition on `v` that holds in `inner`, given that `outer` holds.
fn within(inner: Versions, outer: Versions) -> String {
    match (inner.min > outer.min, inner.max < outer.max) {
        (false, false) => "true".into(),
        (true, false) => format!("v >= {}", inner.min),
        (false, true) => format!("v <= {}", inner.max),
        (true, true) => format!("({}..={}).contains(&v)", inner.min, inner.max),
    }
}

fn rust_type(f: &Field) -> String {
    let one = match &f.kind {
        Kind::Uuid => "Uuid",
        Kind::String => "String",
        Kind::Bytes => "Bytes",
        Kind::Records => "Records",
        Kind::Code => "ErrorCode",
        Kind::Struct(inner) => &inner.name,
        kind => method(kind),
    };
    let full = if f.array {
        format!("Vec<{one}>")
    } else {
        one.to_owned()
    };
    if f.nullable.is_some() {
        format!("Option<{full}>")
    } else {
        full
    }
}

fn default_of(f: &Field) -> String {
    match &f.default {
        Some(value) => value.clone(),
        None => format!("<{}>::default()", rust_type(f)),
    }
}

/// Of the reader, writer and sampler.
fn method(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::I8 => "i8",
        Kind::I16 => "i16",
        Kind::I32 => "i32",
        Kind::I64 => "i64",
        Kind::Uuid => "uuid",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Records => "records",
        Kind::Code => "code",
        Kind::Struct(_) => "record",
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
