# DPDK's skeleton sample, for V=basicfwd, from the sources of the DPDK that everything else here is built with.
{ pkgs }:
pkgs.stdenv.mkDerivation {
  pname = "basicfwd";
  inherit (pkgs.dpdk) version;
  inherit (pkgs.dpdk) src;
  nativeBuildInputs = [ pkgs.pkg-config ];
  buildInputs = [ pkgs.dpdk ];
  dontConfigure = true;
  # As host-setup/basicfwd.sh: the flags of the sample's own Makefile.
  buildPhase = ''
    $CC -O3 $(pkg-config --cflags libdpdk) -DALLOW_EXPERIMENTAL_API examples/skeleton/basicfwd.c -o basicfwd \
      $(pkg-config --libs libdpdk)
  '';
  installPhase = "install -D basicfwd $out/bin/basicfwd";
}
