# The few functions of nixpkgs' library that the flake uses.
rec {
  genAttrs = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);
  mapAttrs = builtins.mapAttrs;
  attrValues = builtins.attrValues;
  mapAttrsToList = make: set: map (name: make name set.${name}) (builtins.attrNames set);
  filterAttrs = keep: set:
    builtins.removeAttrs set (builtins.filter (name: !(keep name set.${name})) (builtins.attrNames set));
  optionalAttrs = condition: set: if condition then set else { };
  importJSON = path: builtins.fromJSON (builtins.readFile path);
}
