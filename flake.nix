# Septet and the stack that its measurements run through, at versions that do not move.
#   nix build            the programs
#   nix build .#stack    switches, DPDK, LaTeX: what a site file names as a stack
#   nix develop          what a developer needs
{
  description = "Septet: make for a testbed";

  # The revision is in the address, too, so that an update is a change that somebody reads.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/0bb7ec54c8483066ec9d7720e780a5caa71f8612";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make (import nixpkgs { inherit system; }));
      programs = pkgs: import ./nix/programs.nix { inherit pkgs; };
      stack = pkgs: import ./nix/stack.nix { inherit pkgs; };
    in
    {
      packages = forEach (pkgs: {
        default = (programs pkgs).all;
        inherit (programs pkgs) septet-gen septet-gen-dpdk septet-remote;
        rootfs = import ./nix/rootfs.nix { inherit pkgs; };
        stack = (stack pkgs).environment;
        stack-manifest = (stack pkgs).manifest;
      });

      apps = forEach (pkgs: {
        default = {
          type = "app";
          program = "${(programs pkgs).all}/bin/septet";
          meta.description = "make for a testbed";
        };
      });

      devShells = forEach (pkgs: import ./nix/shells.nix { inherit pkgs; });

      checks = forEach (pkgs: {
        package = (programs pkgs).all;
        inherit (programs pkgs) clippy clippy-generators clippy-remote fmt;
        stack-versions = (stack pkgs).versionsAgree;
      });
    };
}
