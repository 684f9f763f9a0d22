#!/bin/sh
# Makes the fonts of this folder; README.md says of what and with what.
set -eu
fonts=${1:?where the packages were unpacked: .../usr/share/fonts}
here=$(dirname "$0")
common="--notdef-outline --no-hinting --name-IDs=0,1,2,3,4,5,6,13,14 --drop-tables+=DSIG,meta"
for script in "" Arabic Armenian Bengali Devanagari Ethiopic Georgian Gujarati Gurmukhi Hebrew Kannada Khmer Lao Malayalam Myanmar Oriya \
    Sinhala Tamil Telugu Thai; do
    pyftsubset "$fonts/truetype/noto/NotoSans$script-Regular.ttf" --unicodes='*' --layout-features='*' $common \
        --output-file="$here/NotoSans$script-Regular.ttf"
done
python3 "$here/cjk.py" >"$here/cjk.txt"
pyftsubset "$fonts/opentype/noto/NotoSansCJK-Regular.ttc" --font-number=0 --unicodes-file="$here/cjk.txt" \
    --layout-features=ccmp,kern,palt,halt,liga,calt,ljmo,vjmo,tjmo,mark,mkmk $common --output-file="$here/NotoSansCJKjp-Regular.otf"
rm "$here/cjk.txt"
