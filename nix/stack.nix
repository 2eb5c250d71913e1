# What measurements run through, as one environment, and its manifest: a stack that a site file can name.
# Names on the left are Septet's own names of components. BusyBox is not among them: it lies beside the programs
# (programs.nix). Nor is LXC: the agent starts the host's own as root, at the place where the host's packages put it.
{ pkgs }:
let
  inherit (pkgs) lib;
  components = {
    dpdk = pkgs.dpdk;
    ovs = pkgs.openvswitch-dpdk;
    basicfwd = import ./basicfwd.nix { inherit pkgs; };
  } // lib.optionalAttrs pkgs.stdenv.hostPlatform.isx86_64 {
    vpp = pkgs.vpp;
    snabb = pkgs.snabb;
  };
  versions = lib.mapAttrs (_: package: package.version) components;
  expected = lib.importJSON ./versions.json;
  differing = lib.filterAttrs (name: version: version != expected.${name} or null) versions;
in
{
  environment = pkgs.buildEnv {
    name = "septet-stack";
    # LaTeX is of the stack, though no key has it: reports are compiled by it.
    paths = lib.attrValues components ++ [ pkgs.texliveMedium ];
    ignoreCollisions = true;
  };

  manifest = pkgs.writeText "septet-stack.json" (builtins.toJSON {
    format = 1;
    components = lib.mapAttrsToList
      (name: package: { inherit name; inherit (package) version; path = "${package}"; })
      components;
  });

  # Fails where a component is not of the version in the committed table.
  versionsAgree =
    if differing == { }
    then pkgs.runCommand "septet-stack-versions" { } "touch $out"
    else throw "versions differ from nix/versions.json: ${builtins.toJSON differing}";
}
