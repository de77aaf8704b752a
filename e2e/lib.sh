# Sourced by the scripts of this repository: where built parts are kept, and how things are said.
WEIR_CACHE=${WEIR_CACHE:-$HOME/.cache/weir}
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export WEIR_CACHE

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# retry SECONDS COMMAND...: until it succeeds; the last failure is the answer.
retry() {
  local until=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || { "$@"; return; }
    sleep 0.2
  done
}

# Digest of files and words, short enough for a file name or a tag.
digest() { sha256sum | cut -c1-12; }

# Containers of some clouds lack this one capability, and everything privileged fails without it.
has_sys_resource() {
  local bounding; bounding=$((16#$(awk '/^CapBnd/ {print $2}' /proc/self/status)))
  [ $((bounding >> 24 & 1)) = 1 ]
}

# need_version NAME FOUND WANTED: a clear line where a toolchain is missing or too old.
need_version() {
  [ -n "$2" ] || die "$1 is not installed: $1 $3 or newer is needed"
  [ "$(printf '%s\n%s\n' "$3" "$2" | sort -V | head -1)" = "$3" ] || die "$1 $2 is too old: $1 $3 or newer is needed"
}
