//! Which files of the crate use which others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, UseTree, VisRestricted, Visibility};

use super::sources;

/// A module by its path: `["store", "hot", "reads"]`.
pub(super) type Module = Vec<String>;

/// The imports of files, and their re-exports (`pub use`).
#[derive(Default)]
pub(super) struct Imports {
    used: BTreeMap<Module, Vec<Module>>,
    handed_on: BTreeMap<Module, BTreeMap<String, Module>>,
}

/// Reads one file.
struct Reader<'a> {
    module: &'a Module,
    files: &'a BTreeSet<Module>,
    used: Vec<Module>,
    handed_on: BTreeMap<String, Module>,
}

impl Imports {
    /// Of all files in a folder, tests left out.
    pub(super) fn of(folder: &Path) -> Self {
        let files = sources(folder).into_iter().map(|path| {
            let inside = path.strip_prefix(folder).unwrap().with_extension("");
            let module: Module =
                inside.components().map(|part| part.as_os_str().to_str().unwrap().to_owned()).collect();
            (module, fs::read_to_string(&path).unwrap())
        });
        Self::of_texts(files.collect())
    }

    pub(super) fn of_texts(files: BTreeMap<Module, String>) -> Self {
        let is_test = |module: &Module| module.iter().any(|part| part == "tests");
        let files: BTreeMap<_, _> = files.into_iter().filter(|(module, _)| !is_test(module)).collect();
        let known = files.keys().cloned().collect();
        let mut imports = Self::default();
        for (module, text) in &files {
            let mut reader = Reader { module, files: &known, used: Vec::new(), handed_on: BTreeMap::new() };
            reader.visit_file(&syn::parse_file(text).unwrap());
            imports.used.insert(module.clone(), reader.used);
            imports.handed_on.insert(module.clone(), reader.handed_on);
        }
        imports
    }

    /// The file in which a path ends, through any `pub use`.
    fn defines(&self, path: &Module) -> Option<Module> {
        let file =
            (1..=path.len()).rev().map(|end| &path[..end]).find(|file| self.used.contains_key(*file))?;
        match path.get(file.len()).and_then(|name| self.handed_on[file].get(name)) {
            Some(target) if target != path => self.defines(target),
            _ => Some(file.to_vec()),
        }
    }

    /// The files that each file uses.
    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let arrow = |(module, used): (&Module, &Vec<Module>)| {
            let targets = used.iter().filter_map(|path| self.defines(path));
            (module.clone(), targets.filter(|target| target != module).collect())
        };
        self.used.iter().map(arrow).collect()
    }

    /// Files that use each other, at first hand or by way of others: a circle, if there is one.
    pub(super) fn circle(&self) -> Option<Vec<Module>> {
        let arrows = self.arrows();
        let mut done = BTreeSet::new();
        arrows.keys().find_map(|module| walk(module, &arrows, &mut Vec::new(), &mut done))
    }
}

fn walk(
    module: &Module,
    arrows: &BTreeMap<Module, BTreeSet<Module>>,
    path: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    if let Some(at) = path.iter().position(|other| other == module) {
        return Some(path[at..].to_vec());
    }
    if done.contains(module) {
        return None;
    }
    path.push(module.clone());
    let found = arrows[module].iter().find_map(|next| walk(next, arrows, path, done));
    path.pop();
    done.insert(module.clone());
    found
}

impl Reader<'_> {
    /// A path from the root of the crate; none that leaves it.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let mut base = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.module.clone(),
            child => {
                let mut file = self.module.clone();
                file.push(child.to_owned());
                return self.files.contains(&file).then(|| [self.module.as_slice(), path].concat());
            }
        };
        let mut rest = path;
        while let [first, ..] = rest {
            match first.as_str() {
                "super" => drop(base.pop()),
                "crate" | "self" => {}
                _ => break,
            }
            rest = &rest[1..];
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn read_use(&mut self, tree: &UseTree, before: &mut Vec<String>, is_handed_on: bool) {
        let (name, renamed) = match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.read_use(&path.tree, before, is_handed_on);
                before.pop();
                return;
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.read_use(item, before, is_handed_on));
                return;
            }
            UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(name) => (name.ident.to_string(), name.rename.to_string()),
            UseTree::Glob(_) => (String::new(), String::new()),
        };
        let mut path = before.clone();
        path.extend(Some(name).filter(|name| name != "self" && !name.is_empty()));
        let Some(path) = self.absolute(&path) else { return };
        if is_handed_on {
            self.handed_on.insert(renamed, path);
        } else {
            self.used.push(path);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if is_test(attributes) {
            return;
        }
        if let Item::Use(item) = item {
            let is_handed_on = !matches!(item.vis, Visibility::Inherited);
            return self.read_use(&item.tree, &mut Vec::new(), is_handed_on);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        visit::visit_item_mod(self, item);
    }

    /// `pub(in crate::store)` uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.used.extend(self.absolute(&names));
        }
        visit::visit_path(self, path);
    }
}
