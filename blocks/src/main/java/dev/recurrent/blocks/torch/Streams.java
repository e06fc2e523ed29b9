package dev.recurrent.blocks.torch;

import ai.djl.Device;

/** The CUDA streams that PyTorch works on. */
public final class Streams {

    private Streams() {}

    /**
     * Returns the stream that PyTorch works on now, on this thread.
     *
     * @param device a CUDA device
     * @return CUDA's handle; 0 is the default stream
     * @throws TorchException if libtorch refuses the call
     */
    public static long stream(Device device) {
        long[] stream = new long[1];
        Torch.check(
                LibTorchCuda.aoti_torch_get_current_cuda_stream(device.getDeviceId(), stream),
                "aoti_torch_get_current_cuda_stream");
        return stream[0];
    }

    /**
     * Lets PyTorch work on another stream, on this thread. Memory that it allocates meanwhile is
     * never given to work on other streams.
     *
     * @param device a CUDA device
     * @param stream CUDA's handle
     * @param work what to run
     * @throws TorchException if libtorch refuses the call
     */
    public static void onStream(Device device, long stream, Runnable work) {
        long[] guard = new long[1];
        Torch.check(
                LibTorchCuda.aoti_torch_create_cuda_stream_guard(
                        stream, device.getDeviceId(), guard),
                "aoti_torch_create_cuda_stream_guard");
        try {
            work.run();
        } finally {
            Torch.check(
                    LibTorchCuda.aoti_torch_delete_cuda_stream_guard(guard[0]),
                    "aoti_torch_delete_cuda_stream_guard");
        }
    }
}
