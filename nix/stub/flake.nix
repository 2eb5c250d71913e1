# A stand-in for nixpkgs, for checking this flake where nothing can be downloaded: it has the attributes that
# the flake uses and no packages behind them. What it cannot show is that nixpkgs has them.
{
  description = "a stand-in for nixpkgs";
  outputs = { self }: {
    lib = import ./lib.nix;
  };
}
