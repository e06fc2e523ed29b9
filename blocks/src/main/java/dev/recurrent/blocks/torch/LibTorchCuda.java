package dev.recurrent.blocks.torch;

import com.sun.jna.Native;

/** Direct bindings to the C functions that a libtorch has only with CUDA. */
final class LibTorchCuda {

    static {
        Native.register(LibTorchCuda.class, LibTorch.library("torch_cuda"));
    }

    private LibTorchCuda() {}

    static native int aoti_torch_get_current_cuda_stream(int device, long[] stream);

    static native int aoti_torch_create_cuda_stream_guard(long stream, int device, long[] guard);

    static native int aoti_torch_delete_cuda_stream_guard(long guard);
}
