# The programs. The generators are derivations of their own, from their own folder and lock file: their bytes
# are in keys, and a change of the pipeline, or of a text for people, must not change them. Nothing is built for
# the machine at hand.
#
# Their bytes are not those that generators/build.sh makes: musl and nixpkgs' compiler take the place of glibc and
# rustup's, so a result of one is never taken for a result of the other. What can be the same is: the profile (of
# generators/Cargo.toml), the instructions that may be used, and that no path of the build is in them.
{ pkgs }:
let
  # Paths, each copied by itself: a derivation depends on what it is made of, and on nothing beside it.
  folder = name: path: builtins.path { inherit name path; };
  version = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).workspace.package.version;
  generators = folder "septet-generators-source" ../generators;
  remote = folder "septet-remote-source" ../pipeline/remote;
  # What the workspace compiles: text for people, experiments and the flake itself are not among it.
  compiled = [
    "Cargo.toml" "Cargo.lock" "rustfmt.toml" "LICENSE-MIT" "LICENSE-APACHE"
    "pipeline" "host-setup" "results" "reports" "generators" "experiments"
  ];
  root = toString ../.;
  workspaceSource = builtins.path {
    name = "septet-source";
    path = ../.;
    filter = path: type: dirOf path != root || builtins.elem (baseNameOf path) compiled;
  };

  workspace = {
    pname = "septet";
    inherit version;
    src = workspaceSource;
    cargoLock.lockFile = ../Cargo.lock;
    # Tests measure: they need namespaces that a build's sandbox does not give. CI runs them.
    doCheck = false;
  };
  # generators/.cargo/config.toml sends builds beside the sources, where the install phase does not look.
  generator = {
    inherit version;
    src = generators;
    cargoLock.lockFile = ../generators/Cargo.lock;
    CARGO_TARGET_DIR = "target";
    doCheck = false;
  };
  withoutPaths = "--remap-path-prefix=/build=/septet";

  septet = pkgs.rustPlatform.buildRustPackage (workspace // { cargoBuildFlags = [ "--workspace" "--bins" ]; });

  # Static, so that a container needs nothing but the program.
  septet-gen = pkgs.pkgsStatic.rustPlatform.buildRustPackage (generator // {
    pname = "septet-gen";
    cargoBuildFlags = [ "--package" "septet-generators" "--bin" "septet-gen" ];
    RUSTFLAGS = "-Ctarget-feature=+crt-static ${withoutPaths}";
  });

  septet-gen-dpdk = pkgs.rustPlatform.buildRustPackage (generator // {
    pname = "septet-gen-dpdk";
    cargoBuildFlags = [ "--package" "septet-generator-dpdk" "--bin" "septet-gen-dpdk" ];
    # DPDK asks as much of a processor itself.
    RUSTFLAGS = (if pkgs.stdenv.hostPlatform.isx86_64 then "-Ctarget-feature=+sse4.2 " else "") + withoutPaths;
    nativeBuildInputs = [ pkgs.pkg-config pkgs.rustPlatform.bindgenHook ];
    buildInputs = [ pkgs.dpdk ];
  });

  septet-remote = pkgs.rustPlatform.buildRustPackage {
    pname = "septet-remote";
    inherit version;
    src = remote;
    cargoLock.lockFile = ../pipeline/remote/Cargo.lock;
    doCheck = false;
  };

  clippy = arguments: pkgs.rustPlatform.buildRustPackage (arguments // {
    pname = "${arguments.pname}-clippy";
    nativeBuildInputs = (arguments.nativeBuildInputs or [ ]) ++ [ pkgs.clippy ];
    buildPhase = "cargo clippy --workspace --all-targets -- -D warnings";
    installPhase = "touch $out";
  });
in
{
  inherit septet-gen septet-gen-dpdk septet-remote;

  # Copied, not linked: programs look for each other, for BusyBox and for basicfwd beside the file that they were
  # started from.
  all = pkgs.runCommand "septet-${version}" { meta.mainProgram = "septet"; } ''
    mkdir -p $out/bin
    cp ${septet}/bin/septet ${septet}/bin/septet-host ${septet}/bin/septet-adapter ${septet-gen}/bin/septet-gen \
      ${septet-gen-dpdk}/bin/septet-gen-dpdk ${septet-remote}/bin/septet-remote \
      ${pkgs.pkgsStatic.busybox}/bin/busybox ${import ./basicfwd.nix { inherit pkgs; }}/bin/basicfwd $out/bin/
  '';

  clippy = clippy workspace;
  clippy-generators = clippy (generator // {
    pname = "septet-generators";
    nativeBuildInputs = [ pkgs.pkg-config pkgs.rustPlatform.bindgenHook ];
    buildInputs = [ pkgs.dpdk ];
  });
  clippy-remote = clippy {
    pname = "septet-remote";
    inherit version;
    src = remote;
    cargoLock.lockFile = ../pipeline/remote/Cargo.lock;
    doCheck = false;
  };

  # rustfmt itself, which needs no crate that would have to be downloaded.
  fmt = pkgs.runCommand "septet-fmt" { nativeBuildInputs = [ pkgs.rustfmt ]; } ''
    cd ${workspaceSource}
    find pipeline host-setup results reports generators -name '*.rs' -print0 \
      | xargs -0 rustfmt --check --edition 2024 --config-path rustfmt.toml
    touch $out
  '';
}
