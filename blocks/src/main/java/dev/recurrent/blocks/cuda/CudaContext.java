package dev.recurrent.blocks.cuda;

import java.util.function.Supplier;

/** The primary context of a device, which PyTorch works in too. */
final class CudaContext {

    private final long handle;

    /**
     * Retains the context for as long as the process lives, as PyTorch does.
     *
     * @param device the driver's number of the device
     * @throws CudaException if the driver refuses
     */
    CudaContext(int device) {
        long[] context = new long[1];
        CudaDriver.check(
                CudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
        handle = context[0];
    }

    /** Runs something with this context current on the thread, which it usually is already. */
    <T> T run(Supplier<T> work) {
        long[] current = new long[1];
        CudaDriver.check(CudaDriver.cuCtxGetCurrent(current), "cuCtxGetCurrent");
        if (current[0] == handle) {
            return work.get();
        }
        CudaDriver.check(CudaDriver.cuCtxPushCurrent_v2(handle), "cuCtxPushCurrent");
        try {
            return work.get();
        } finally {
            CudaDriver.check(CudaDriver.cuCtxPopCurrent_v2(current), "cuCtxPopCurrent");
        }
    }
}
