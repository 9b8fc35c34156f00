"""Writes the schemas of adapters, profiles and resolved runs from Axolotl's own model and schemas/house.yml.

Types and descriptions are those of the installed Axolotl; what is allowed and what is narrower is house.yml's.
Run as: make schemas / python -m scripts.schemas (imports Axolotl, so it needs the full environment).
"""

import importlib
import json
import pkgutil
from collections.abc import Sequence
from importlib.metadata import version

import yaml

from scripts import arguments
from scripts.errors import UserError, main_of
from scripts.files import write
from scripts.paths import SCHEMAS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MARK = "x-house"  # which keywords beside it are ours and not Axolotl's


def axolotl_schema() -> dict:
    """Axolotl's config model as JSON Schema; its own command fails on an enum of torch dtypes, named here instead."""
    from axolotl.utils.schemas.config import AxolotlInputConfig
    from pydantic.json_schema import GenerateJsonSchema

    class Generate(GenerateJsonSchema):
        def enum_schema(self, schema):
            plain = (str, int, float, bool)
            return {"enum": [m.value if isinstance(m.value, plain) else m.name for m in schema["members"]]}

        def encode_default(self, dft):
            try:
                return super().encode_default(dft)
            except (TypeError, ValueError):  # a default that JSON can't hold
                return str(dft)

    return AxolotlInputConfig.model_json_schema(schema_generator=Generate)


def plugin_keys() -> list[str]:
    """The keys that Axolotl's own plugins add when `plugins` names them."""
    import axolotl.integrations
    from pydantic import BaseModel

    keys: set[str] = set()
    for found in pkgutil.walk_packages(axolotl.integrations.__path__, "axolotl.integrations."):
        if found.name.endswith(".args"):
            models = vars(importlib.import_module(found.name)).values()
            keys |= {
                key
                for each in models
                if isinstance(each, type) and issubclass(each, BaseModel)
                for key in each.model_fields
            }
    return sorted(keys)


def simple(prop: dict, defs: dict) -> dict:
    """One property of Axolotl without null, title, default and indirection: `{type, enum?, description?}`."""
    kept = {key: prop[key] for key in ("type", "enum", "items", "minimum", "maximum") if key in prop}
    if "const" in prop:
        kept = {"type": "string", "enum": [prop["const"]]}
    if "$ref" in prop:
        kept = simple(defs[prop["$ref"].rsplit("/", 1)[1]], defs)
    branches = [simple(each, defs) for each in prop.get("anyOf", []) if each.get("type") != "null"]
    if len(branches) == 1:
        kept = branches[0]
    elif branches and all(isinstance(each.get("type"), str) for each in branches):
        kept = {"type": sorted({each["type"] for each in branches})}
    for word in ("description", "x-filled"):
        kept.pop(word, None)
    description = " ".join((prop.get("description") or prop.get("help") or "").split())
    nullable = any(each.get("type") == "null" for each in prop.get("anyOf", [prop]))
    return kept | ({"description": description} if description else {}) | ({} if nullable else {"x-filled": True})


def narrowed(prop: dict, house: dict | None) -> dict:
    """Axolotl's property with the house's keywords over it, and a mark that says which are ours."""
    house = dict(house or {})
    says = {"errorMessage": house.pop("says")} if "says" in house else {}
    if isinstance(house.get("items"), dict):
        inner = prop.get("items", {}) | house["items"]
        house["items"] = inner | {MARK: sorted(house["items"].keys() - {"errorMessage"})}
    theirs = {"description", "examples", "items", *house.pop("axolotl", ())}
    ours = sorted(house.keys() - theirs)
    return prop | house | says | ({MARK: ours} if ours else {})


def obj(keys: dict, known: list[str], required: Sequence[str] = ()) -> dict:
    """A closed object; `x-axolotl` lists what else Axolotl knows there, for the error message."""
    closed = {"type": "object", "additionalProperties": False, "x-axolotl": sorted(set(known) - set(keys))}
    if required:
        closed |= {"required": list(required), MARK: ["required"]}
    return closed | {"properties": keys}


def combination(rule: dict) -> dict:
    """`when` (every key there and fitting) is refused, save where `unless` or `or` fits as well."""

    def fits(keys: dict) -> dict:
        there = {"not": {"type": "null"}}  # an empty key is not there
        return {"properties": {key: {"allOf": [there, value]} if value is True or "not" in value else value
                               for key, value in keys.items()}, "required": list(keys)}  # fmt: skip

    clauses = [fits(rule["when"])] + [{"not": fits(rule[word])} for word in ("unless", "or") if word in rule]
    told = {"errorMessage": rule["says"], "x-at": next(iter(rule["when"]))}
    return {"not": {"allOf": clauses}} | told | ({} if rule.get("axolotl") else {MARK: ["not"]})


def adapter_schema(axolotl: dict, house: dict) -> dict:
    """The schema of configs/*.yml: allowed keys, what is required, and which combinations are refused."""
    defs, own = axolotl["$defs"], axolotl["properties"]
    own = own | {"revision_of_model": own["model_revision"]}  # Axolotl documents the field's name, not its alias
    keys = {}
    objects = {}
    for name, spec in house["objects"].items():
        theirs = defs[spec["model"]]["properties"]
        inner = {key: narrowed(simple(theirs[key], defs), rule) for key, rule in spec["keys"].items()}
        objects[name] = obj(
            inner,
            [*theirs, *spec.get("renamed", ()), *(f"fsdp_{key}" for key in theirs if name == "fsdp")],
            spec.get("required", ()),
        )
    places = {place: name for name, spec in house["objects"].items() for place in spec["of"]}
    keys |= {key: rule | {MARK: ["type", "minimum", "maximum"]} for key, rule in house["own"].items()}
    for key, rule in house["keys"].items():
        if key not in own:
            raise UserError(f"schemas/house.yml allows {key!r}, which Axolotl does not know")
        keys[key] = narrowed(simple(own[key], defs), rule)
        if key in places:
            inner = {"$ref": f"#/$defs/{places[key]}"}
            kept = {
                word: keys[key][word] for word in ("description", "minItems", "maxItems", MARK) if word in keys[key]
            }
            keys[key] = kept | ({"type": "array", "items": inner} if defs_list(own[key]) else inner)
    complete = {
        "required": axolotl["required"],
        "dependentRequired": {key: [other] for key, other in house["needs"].items()},
        MARK: ["dependentRequired"],
        "allOf": [{"required": house["required"], MARK: ["required"]}, *map(combination, house["together"])],
    }
    hub = {"enum": house["bases"], MARK: ["enum"], "errorMessage": "a base that is allowed here"}
    return {
        "$schema": DIALECT,
        "title": "An adapter: one complete Axolotl config",
        "description": f"Made by `make schemas` from Axolotl {version('axolotl')}'s model and house.yml. Do not edit.",
        "$ref": "#/$defs/keys",
        "allOf": [
            {"$ref": "#/$defs/complete"},
            {"properties": {"base_model": hub}, "required": ["revision_of_model"], MARK: ["required"]},
        ],
        "x-refused": house["refused"],
        "x-means": house["means"],
        "x-plugins": plugin_keys(),
        "$defs": {"keys": obj(keys, list(own)), "complete": complete, **objects},
    }


def defs_list(prop: dict) -> bool:
    """Whether Axolotl's property is a list."""
    return any(each.get("type") == "array" for each in [prop, *prop.get("anyOf", [])])


def profile_schema(adapter: dict) -> dict:
    """The schema of configs/profiles/*.yml: any allowed key with its value, or null to take the adapter's away."""
    keys = adapter["$defs"]["keys"]["properties"]
    private = {"datasets", "test_datasets", "output_dir"}  # an adapter's own, wherever it runs
    inner = {
        key: {"anyOf": [{"$ref": f"adapter.schema.json#/$defs/keys/properties/{key}"}, {"type": "null"}]}
        for key in keys
    }
    return {
        "$schema": DIALECT,
        "title": "A profile: where a run happens, as an overlay of adapter keys",
        "description": adapter["description"],
        **obj({key: value for key, value in inner.items() if key not in private}, []),
    }


def run_schema(adapter: dict) -> dict:
    """The schema of an adapter with a profile laid over it: whole, on any base that is allowed."""
    told = {"title": "A resolved config: adapter and profile", "description": adapter["description"]}
    refs = {"$ref": "adapter.schema.json#/$defs/keys", "allOf": [{"$ref": "adapter.schema.json#/$defs/complete"}]}
    return {"$schema": DIALECT, **told, **refs}


def texts() -> dict[str, str]:
    """File name under schemas/ -> the text it must have."""
    house = yaml.safe_load((SCHEMAS / "house.yml").read_text(encoding="utf-8"))
    adapter = adapter_schema(axolotl_schema(), house)
    made = {
        "adapter.schema.json": adapter,
        "profile.schema.json": profile_schema(adapter),
        "run.schema.json": run_schema(adapter),
    }
    return {name: json.dumps(schema, ensure_ascii=False, indent=1) + "\n" for name, schema in made.items()}


def main(argv: Sequence[str]) -> None:
    """Writes the files."""
    arguments.parser(__doc__).parse_args(argv)
    for name, text in texts().items():
        write(SCHEMAS / name, text)
        print(f"schemas/{name}: {len(text):,} bytes")
    print("next: make check")


if __name__ == "__main__":
    main_of(main)
