# `import nixpkgs { system = ...; }` of the stand-in: every package is an empty derivation of its version.
{ system }:
let
  lib = import ./lib.nix;
  package = pname: version: derivation {
    name = "${pname}-${version}";
    inherit system;
    builder = "/bin/sh";
  } // { inherit pname version; };
  unversioned = pname: package pname "0";
  # Every input is looked at, so that a name that is not here is an error.
  having = inputs: made: builtins.deepSeq (map (input: input.outPath) inputs) made;
  inputsOf = arguments: (arguments.nativeBuildInputs or [ ]) ++ (arguments.buildInputs or [ ]);
  # What nixpkgs' hooks do, as far as it decides what a derivation is made of and whether it can be installed: they
  # copy programs out of target/, so a source whose own settings send builds elsewhere has to be told otherwise.
  # (The folder of the lock file is looked at: what a derivation copies is not there while nothing is built.)
  sentElsewhere = lockFile: builtins.pathExists (dirOf lockFile + "/.cargo/config.toml");
  rustPlatform = {
    buildRustPackage = arguments:
      assert builtins.pathExists arguments.cargoLock.lockFile;
      assert !(sentElsewhere arguments.cargoLock.lockFile) || arguments.CARGO_TARGET_DIR or "" == "target"
        || throw "${arguments.pname} is built where the install phase does not look: set CARGO_TARGET_DIR";
      having (inputsOf arguments) (derivation {
        name = "${arguments.pname}-${arguments.version}";
        inherit system;
        builder = "/bin/sh";
        args = [ (arguments.buildPhase or "") (builtins.toString (arguments.cargoBuildFlags or [ ])) (arguments.RUSTFLAGS or "") ];
        src = arguments.src;
        inputs = inputsOf arguments;
      } // { inherit (arguments) pname version; });
    bindgenHook = unversioned "bindgen-hook";
  };
  busybox = package "busybox" "1.37.0";
  onX86 = set: if system == "x86_64-linux" then set else { };
in
{
  inherit lib rustPlatform;
  stdenv = {
    hostPlatform.isx86_64 = system == "x86_64-linux";
    mkDerivation = arguments: having (inputsOf arguments) (package arguments.pname arguments.version);
  };
  pkgsStatic = { inherit busybox rustPlatform; };
  dpdk = package "dpdk" "26.03" // { src = ./flake.nix; };
  openvswitch-dpdk = package "openvswitch-dpdk" "3.7.1";
  lxc = package "lxc" "7.0.0";
  runCommand = name: arguments: script: having (inputsOf arguments) (derivation {
    inherit name system;
    builder = "/bin/sh";
    args = [ script ];
  });
  writeText = name: text: builtins.seq text (unversioned name);
  buildEnv = arguments: having arguments.paths (unversioned arguments.name);
  mkShell = arguments: having arguments.packages (unversioned "shell");
}
// lib.genAttrs [
  "cargo" "rustc" "rustfmt" "clippy" "pkg-config" "iproute2" "iperf3" "wireshark-cli" "texliveMedium" "poppler-utils"
  "mandoc" "python3" "chromium"
] unversioned
// onX86 { vpp = package "vpp" "26.02"; snabb = package "snabb" "2024.08"; }
