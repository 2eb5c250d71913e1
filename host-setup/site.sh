#!/bin/sh
# Writes /etc/septet/host.toml, as root: the programs that septet-host may run when an ordinary user commands it
# as root (sudo -n septet-host agent). Who is root, or has no root, needs it not. A file that somebody else
# wrote is left alone, and so is a host whose programs lie where others than root can change them.
#   site.sh FOLDER    the folder with septet-host and septet-gen
set -eu
folder=$(cd "$1" && pwd -P)
file=/etc/septet/host.toml
mark="# Written by make demo as root; write your own and it is left alone."

[ "$(id -u)" -eq 0 ] || exit 0
if [ -e "$file" ] && [ "$(head -n 1 "$file")" != "$mark" ]; then
    exit 0
fi
place=$folder
while :; do
    # Not root's, or writable by its group or by all: the agent would not believe it.
    if [ -n "$(find "$place" -maxdepth 0 \( ! -user 0 -o -perm /022 \))" ]; then
        echo "site: $place can be changed by others than root, so no user is served as root from $folder"
        exit 0
    fi
    [ "$place" != / ] || break
    place=$(dirname "$place")
done
mkdir -p "$(dirname "$file")"
new=$(mktemp "$file.XXXXXX")
{
    echo "$mark"
    echo "[programs]"
    for program in "$folder"/septet-* "$folder"/busybox "$folder"/basicfwd; do
        name=${program##*/}
        # Without a dot: what builds leave beside programs has one. The agent itself is none of them.
        case "$name" in *.* | septet-host) continue ;; esac
        if [ -f "$program" ] && [ -x "$program" ]; then
            echo "$name = \"$program\""
        fi
    done
} >"$new"
chmod 644 "$new"
if [ -e "$file" ] && cmp -s "$new" "$file"; then
    rm "$new"
else
    mv "$new" "$file"
fi
