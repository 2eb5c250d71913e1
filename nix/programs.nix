# The programs. The generators are derivations of their own, from their own folder and lock file: their bytes
# are in keys, and a change of the pipeline must not change them. Nothing is built for the machine at hand.
{ pkgs, source }:
let
  version = (builtins.fromTOML (builtins.readFile (source + "/Cargo.toml"))).workspace.package.version;
  generators = source + "/generators";
  remote = source + "/pipeline/remote";

  workspace = {
    pname = "septet";
    inherit version;
    src = source;
    cargoLock.lockFile = source + "/Cargo.lock";
    # Tests measure: they need namespaces that a build's sandbox does not give. CI runs them.
    doCheck = false;
  };

  septet = pkgs.rustPlatform.buildRustPackage (workspace // { cargoBuildFlags = [ "--workspace" "--bins" ]; });

  # Static, so that a container needs nothing but the program.
  septet-gen = pkgs.pkgsStatic.rustPlatform.buildRustPackage {
    pname = "septet-gen";
    inherit version;
    src = generators;
    cargoLock.lockFile = generators + "/Cargo.lock";
    cargoBuildFlags = [ "--package" "septet-generators" "--bin" "septet-gen" ];
    doCheck = false;
  };

  septet-gen-dpdk = pkgs.rustPlatform.buildRustPackage {
    pname = "septet-gen-dpdk";
    inherit version;
    src = generators;
    cargoLock.lockFile = generators + "/Cargo.lock";
    # DPDK there is archives only.
    cargoBuildFlags = [ "--package" "septet-generator-dpdk" "--features" "static" ];
    nativeBuildInputs = [ pkgs.pkg-config pkgs.rustPlatform.bindgenHook ];
    buildInputs = [ pkgs.dpdk ];
    doCheck = false;
  };
  septet-remote = pkgs.rustPlatform.buildRustPackage {
    pname = "septet-remote";
    inherit version;
    src = remote;
    cargoLock.lockFile = remote + "/Cargo.lock";
    doCheck = false;
  };
in
{
  # Copied, not linked: programs look for each other beside the file that they were started from.
  all = pkgs.runCommand "septet-${version}" { meta.mainProgram = "septet"; } ''
    mkdir -p $out/bin
    cp ${septet}/bin/septet ${septet}/bin/septet-host ${septet-gen}/bin/septet-gen \
      ${septet-gen-dpdk}/bin/septet-gen-dpdk ${septet-remote}/bin/septet-remote $out/bin/
  '';

  clippy = pkgs.rustPlatform.buildRustPackage (workspace // {
    pname = "septet-clippy";
    nativeBuildInputs = [ pkgs.clippy ];
    buildPhase = "cargo clippy --workspace --all-targets -- -D warnings";
    installPhase = "touch $out";
  });

  fmt = pkgs.runCommand "septet-fmt" { nativeBuildInputs = [ pkgs.cargo pkgs.rustfmt ]; } ''
    cd ${source} && cargo fmt --all --check
    cd generators && cargo fmt --all --check
    touch $out
  '';
}
