# Sourced by the scripts beside it where PYTORCH_LIBRARY_PATH is set: tells DJL, which cannot see
# it, which of the bindings on the class path fits that PyTorch.

found=
for library in libtorch.so libtorch.dylib torch.dll; do
    [ -f "$PYTORCH_LIBRARY_PATH/$library" ] && found=yes
done
if [ -z "$found" ]; then
    # DJL would look for a PyTorch to download.
    echo "PYTORCH_LIBRARY_PATH: there is no libtorch in $PYTORCH_LIBRARY_PATH" >&2
    exit 2
fi

# The version of DJL's bindings, which also work with newer PyTorch libraries.
if [ -z "${PYTORCH_VERSION:-}" ]; then
    PYTORCH_VERSION=$(sed -n 's:.*<pytorch.version>\(.*\)</pytorch.version>.*:\1:p' "$home/pom.xml")
fi
if [ -z "${PYTORCH_FLAVOR:-}" ]; then
    PYTORCH_FLAVOR=cpu
    [ -f "$PYTORCH_LIBRARY_PATH/libtorch_cuda.so" ] && PYTORCH_FLAVOR=cu128
fi
export PYTORCH_VERSION PYTORCH_FLAVOR
