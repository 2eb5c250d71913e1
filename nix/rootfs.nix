# What a container holds besides its application: a static BusyBox.
{ pkgs }:
pkgs.runCommand "septet-rootfs" { } ''
  mkdir -p $out/bin $out/dev $out/out $out/proc
  cp ${pkgs.pkgsStatic.busybox}/bin/busybox $out/bin/busybox
''
