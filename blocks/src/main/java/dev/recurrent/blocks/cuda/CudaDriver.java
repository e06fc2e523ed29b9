package dev.recurrent.blocks.cuda;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/**
 * Direct bindings to CUDA's driver ({@code cuda.h}). Handles and device addresses are longs; every
 * function returns zero on success.
 */
final class CudaDriver {

    /** CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT. */
    static final int MULTIPROCESSORS = 16;

    /** CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR. */
    static final int CAPABILITY_MAJOR = 75;

    /** CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR. */
    static final int CAPABILITY_MINOR = 76;

    /** CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN. */
    static final int MOST_SHARED = 97;

    /** CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES. */
    static final int MOST_DYNAMIC_SHARED = 8;

    /** CU_STREAM_NON_BLOCKING: the default stream does not wait for it, nor it for that one. */
    static final int STREAM_NON_BLOCKING = 1;

    /** CU_STREAM_CAPTURE_MODE_RELAXED: other threads, and allocations, go on as ever. */
    static final int CAPTURE_RELAXED = 2;

    /** CU_MEMHOSTALLOC_PORTABLE: for all contexts. */
    static final int HOST_PORTABLE = 1;

    /** CU_EVENT_DISABLE_TIMING. */
    static final int EVENT_WITHOUT_TIME = 2;

    private static boolean loaded;

    private CudaDriver() {}

    /**
     * Loads the library at the first call.
     *
     * @throws CudaException if there is no driver
     */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        String name = Platform.isWindows() ? "nvcuda" : "libcuda.so.1";
        try {
            Native.register(CudaDriver.class, NativeLibrary.getInstance(name));
        } catch (UnsatisfiedLinkError e) {
            throw new CudaException("CUDA's driver, " + name + ", cannot be loaded", e);
        }
        check(cuInit(0), "cuInit");
        loaded = true;
    }

    /** Returns the CUDA version of the driver, such as 13000 for 13.0. */
    static int version() {
        int[] version = new int[1];
        check(cuDriverGetVersion(version), "cuDriverGetVersion");
        return version[0];
    }

    /**
     * Throws unless a call succeeded.
     *
     * @param status what it returned
     * @param what the function, and the kernel it was called for
     * @throws CudaException with CUDA's name and words for the status
     */
    static void check(int status, String what) {
        if (status != 0) {
            long[] name = new long[1];
            long[] text = new long[1];
            boolean known =
                    cuGetErrorName(status, name) == 0 && cuGetErrorString(status, text) == 0;
            String words = known ? string(name[0]) + ", " + string(text[0]) : "error " + status;
            throw new CudaException(what + " failed: " + words);
        }
    }

    private static String string(long address) {
        return new Pointer(address).getString(0);
    }

    static native int cuInit(int flags);

    static native int cuDriverGetVersion(int[] version);

    static native int cuGetErrorName(int status, long[] name);

    static native int cuGetErrorString(int status, long[] text);

    static native int cuDeviceGet(int[] device, int ordinal);

    static native int cuDeviceGetAttribute(int[] value, int attribute, int device);

    static native int cuDevicePrimaryCtxRetain(long[] context, int device);

    static native int cuCtxGetCurrent(long[] context);

    static native int cuCtxPushCurrent_v2(long context);

    static native int cuCtxPopCurrent_v2(long[] context);

    static native int cuModuleLoadData(long[] module, byte[] image);

    static native int cuModuleGetFunction(long[] function, long module, String name);

    static native int cuFuncSetAttribute(long function, int attribute, int value);

    static native int cuStreamCreate(long[] stream, int flags);

    static native int cuStreamSynchronize(long stream);

    static native int cuStreamBeginCapture_v2(long stream, int mode);

    static native int cuStreamEndCapture(long stream, long[] graph);

    static native int cuGraphInstantiateWithFlags(long[] executable, long graph, long flags);

    static native int cuGraphLaunch(long executable, long stream);

    static native int cuGraphDestroy(long graph);

    static native int cuGraphExecDestroy(long executable);

    static native int cuMemHostAlloc(long[] address, long bytes, int flags);

    static native int cuMemFreeHost(long address);

    static native int cuEventCreate(long[] event, int flags);

    static native int cuEventRecord(long event, long stream);

    static native int cuEventSynchronize(long event);

    static native int cuEventDestroy_v2(long event);

    static native int cuLaunchKernel(
            long function,
            int gridX,
            int gridY,
            int gridZ,
            int blockX,
            int blockY,
            int blockZ,
            int sharedBytes,
            long stream,
            long arguments,
            long extra);

    static native int cuLaunchKernelEx(
            long configuration, long function, long arguments, long extra);
}
