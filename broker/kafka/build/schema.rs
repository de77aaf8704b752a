//! Reads the schema text. A file describes one API:
//!
//! ```text
//! # What it is for.
//! api Name KEY
//! versions MIN..MAX
//! flexible FROM..          (or: never)
//!
//! request
//!   field   TYPE [VERSIONS] [tag N] [= DEFAULT]
//!     field of the struct above ...
//! response
//!   ...
//! ```
//!
//! TYPE: `bool i8 i16 i32 i64 uuid string bytes records code`, or a struct's name (its fields
//! follow, indented by two more spaces); `[]` before it: an array; `?` after it: may be null,
//! `?3..` only in these versions. VERSIONS default to those of the enclosing struct.

pub struct Api {
    pub name: String,
    pub doc: String,
    pub key: i16,
    pub versions: Versions,
    /// First version with compact lengths and tagged fields (KIP-482).
    pub flexible: Option<i16>,
    pub request: Struct,
    pub response: Struct,
}

pub struct Struct {
    pub name: String,
    pub versions: Versions,
    pub fields: Vec<Field>,
}

pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub array: bool,
    pub nullable: Option<Versions>,
    pub versions: Versions,
    pub tag: Option<u32>,
    pub default: Option<String>,
}

pub enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Uuid,
    String,
    Bytes,
    Records,
    Code,
    Struct(Struct),
}

/// Both ends inclusive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

type Parsed<T> = Result<T, String>;

struct Line<'a> {
    number: usize,
    depth: usize,
    words: Vec<&'a str>,
}

pub fn parse(text: &str) -> Parsed<Api> {
    let doc = text
        .lines()
        .next()
        .unwrap_or("")
        .trim_start_matches("# ")
        .to_owned();
    let lines: Vec<Line<'_>> = text.lines().enumerate().filter_map(split).collect();
    let mut at = 0;
    let head = take(&lines, &mut at, "api")?;
    let name = head.words.get(1).ok_or("api needs a name")?.to_string();
    let key = number(head.words.get(2).ok_or("api needs a key")?)?;
    let served = take(&lines, &mut at, "versions")?;
    let any = Versions {
        min: 0,
        max: i16::MAX,
    };
    let versions = range(served.words.get(1).ok_or("versions needs a range")?, any)?;
    let flexible = match take(&lines, &mut at, "flexible")?.words.get(1) {
        Some(&"never") => None,
        Some(word) => Some(range(word, versions)?.min),
        None => return Err("flexible needs a version or never".into()),
    };
    take(&lines, &mut at, "request")?;
    let request = fields(&lines, &mut at, 1, versions)?;
    take(&lines, &mut at, "response")?;
    let response = fields(&lines, &mut at, 1, versions)?;
    if at != lines.len() {
        return Err(format!("line {}: not expected here", lines[at].number));
    }
    let request = Struct {
        name: "Request".into(),
        versions,
        fields: request,
    };
    let response = Struct {
        name: "Response".into(),
        versions,
        fields: response,
    };
    Ok(Api {
        name,
        doc,
        key,
        versions,
        flexible,
        request,
        response,
    })
}

fn split((index, line): (usize, &str)) -> Option<Line<'_>> {
    let code = line.split('#').next().unwrap_or("");
    let words: Vec<&str> = code.split_whitespace().collect();
    let indent = code.len() - code.trim_start().len();
    (!words.is_empty()).then_some(Line {
        number: index + 1,
        depth: indent / 2,
        words,
    })
}

fn take<'a, 'b>(lines: &'b [Line<'a>], at: &mut usize, word: &str) -> Parsed<&'b Line<'a>> {
    let line = lines
        .get(*at)
        .filter(|l| l.depth == 0 && l.words[0] == word);
    *at += 1;
    line.ok_or_else(|| format!("`{word}` is missing"))
}

fn fields(lines: &[Line<'_>], at: &mut usize, depth: usize, outer: Versions) -> Parsed<Vec<Field>> {
    let mut out = Vec::new();
    while let Some(line) = lines.get(*at).filter(|l| l.depth >= depth) {
        if line.depth > depth {
            return Err(format!("line {}: indented too far", line.number));
        }
        *at += 1;
        let mut field =
            field(&line.words, outer).map_err(|e| format!("line {}: {e}", line.number))?;
        if let Kind::Struct(inner) = &mut field.kind {
            inner.fields = fields(lines, at, depth + 1, inner.versions)?;
        }
        out.push(field);
    }
    Ok(out)
}

fn field(words: &[&str], outer: Versions) -> Parsed<Field> {
    let name = words[0].to_owned();
    let of_type = *words.get(1).ok_or("a type is missing")?;
    let mut versions = outer;
    let mut tag = None;
    let mut default = None;
    let mut rest = words[2..].iter();
    while let Some(word) = rest.next() {
        match *word {
            "tag" => {
                let number = rest.next().ok_or("tag needs a number")?;
                tag = Some(number.parse().map_err(|_| "tag needs a number")?);
            }
            "=" => default = Some(rest.next().ok_or("a default is missing")?.to_string()),
            _ => versions = range(word, outer)?,
        }
    }
    let (bare, nullable) = match of_type.split_once('?') {
        None => (of_type, None),
        Some((bare, "")) => (bare, Some(versions)),
        Some((bare, word)) => (bare, Some(range(word, versions)?)),
    };
    let array = bare.starts_with("[]");
    let kind = kind(bare.trim_start_matches("[]"), versions)?;
    Ok(Field {
        name,
        kind,
        array,
        nullable,
        versions,
        tag,
        default,
    })
}

fn kind(word: &str, versions: Versions) -> Parsed<Kind> {
    Ok(match word {
        "bool" => Kind::Bool,
        "i8" => Kind::I8,
        "i16" => Kind::I16,
        "i32" => Kind::I32,
        "i64" => Kind::I64,
        "uuid" => Kind::Uuid,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "records" => Kind::Records,
        "code" => Kind::Code,
        _ if word.starts_with(char::is_uppercase) => Kind::Struct(Struct {
            name: word.to_owned(),
            versions,
            fields: Vec::new(),
        }),
        _ => return Err(format!("unknown type `{word}`")),
    })
}

/// `3..5`, `3..` or `..5` within `outer`.
fn range(word: &str, outer: Versions) -> Parsed<Versions> {
    let (min, max) = word
        .split_once("..")
        .ok_or_else(|| format!("unknown word `{word}`"))?;
    let min = if min.is_empty() {
        outer.min
    } else {
        number(min)?
    };
    let max = if max.is_empty() {
        outer.max
    } else {
        number(max)?
    };
    if min > max || min < outer.min || max > outer.max {
        return Err(format!(
            "versions `{word}` lie outside of those around them"
        ));
    }
    Ok(Versions { min, max })
}

fn number(word: &str) -> Parsed<i16> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}
