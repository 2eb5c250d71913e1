# Shells: what building and measuring need, and what the tests need besides.
{ pkgs }:
let
  building = [ pkgs.cargo pkgs.rustc pkgs.rustfmt pkgs.clippy pkgs.pkg-config pkgs.rustPlatform.bindgenHook ];
  measuring = [ pkgs.dpdk pkgs.openvswitch-dpdk pkgs.lxc pkgs.iproute2 ];
  # What pip installs of Python's packages, nothing here does: pipeline/tests/tools.sh does it with this Python.
  testing = [
    pkgs.iperf3 pkgs.wireshark-cli pkgs.texliveMedium pkgs.poppler-utils pkgs.mandoc pkgs.python3 pkgs.chromium
  ];
in
{
  default = pkgs.mkShell { packages = building ++ measuring; };
  ci = pkgs.mkShell { packages = building ++ measuring ++ testing; };
}
