package dev.recurrent.blocks.cuda;

import ai.djl.Device;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;

/** A device and the kernels that were compiled for it. */
public final class CudaDevice {

    /** bf16 arithmetic, {@code cp.async} and {@code mma.sync} for bf16 begin here. */
    private static final int LEAST_CAPABILITY = 80;

    /** Programmatic dependent launch begins here. */
    private static final int EARLY_START_CAPABILITY = 90;

    private final Device device;
    private final CudaContext context;
    private final KernelCompiler compiler;
    private final int capability;
    private final int multiprocessors;
    private final int mostSharedBytes;
    private final Map<ModuleKey, Long> modules = new ConcurrentHashMap<>();
    private final Map<KernelKey, Kernel> kernels = new ConcurrentHashMap<>();
    private final Deque<Long> captureStreams = new ConcurrentLinkedDeque<>();

    private record ModuleKey(KernelSource source, Constants constants) {}

    private record KernelKey(ModuleKey module, String name) {}

    /**
     * Opens a device.
     *
     * @param device PyTorch's name of it
     * @throws CudaException if driver or compiler are missing or the device is too old
     */
    CudaDevice(Device device) {
        this.device = device;
        CudaDriver.load();
        int[] number = new int[1];
        CudaDriver.check(CudaDriver.cuDeviceGet(number, device.getDeviceId()), "cuDeviceGet");
        capability =
                10 * attribute(CudaDriver.CAPABILITY_MAJOR, number[0])
                        + attribute(CudaDriver.CAPABILITY_MINOR, number[0]);
        if (capability < LEAST_CAPABILITY) {
            throw new CudaException(
                    "compute capability " + capability / 10.0 + " is below the 8.0 that they need");
        }
        String driver = Integer.toString(CudaDriver.version());
        compiler = new KernelCompiler(KernelCompiler.defaultCache(), capability, driver);
        multiprocessors = attribute(CudaDriver.MULTIPROCESSORS, number[0]);
        mostSharedBytes = attribute(CudaDriver.MOST_SHARED, number[0]);
        context = new CudaContext(number[0]);
    }

    private static int attribute(int attribute, int device) {
        int[] value = new int[1];
        CudaDriver.check(
                CudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
        return value[0];
    }

    /** Returns its compute capability, such as 90 for 9.0. */
    public int capability() {
        return capability;
    }

    /** Returns PyTorch's name of it. */
    Device device() {
        return device;
    }

    /** Returns the context that PyTorch works in. */
    CudaContext context() {
        return context;
    }

    /**
     * Lends a stream that nobody else works on. What PyTorch allocates for a stream stays with it,
     * so streams are given back and not destroyed.
     */
    long takeStream() {
        Long known = captureStreams.poll();
        if (known != null) {
            return known;
        }
        long[] stream = new long[1];
        int status =
                context.run(
                        () -> CudaDriver.cuStreamCreate(stream, CudaDriver.STREAM_NON_BLOCKING));
        CudaDriver.check(status, "cuStreamCreate");
        return stream[0];
    }

    /** Takes a stream back on which no work is under way. */
    void giveBack(long stream) {
        captureStreams.push(stream);
    }

    /** Returns how many multiprocessors it has. */
    public int multiprocessors() {
        return multiprocessors;
    }

    /** Returns how many bytes of shared memory a block may have. */
    public int mostSharedBytes() {
        return mostSharedBytes;
    }

    /**
     * Returns a kernel, compiled and loaded at the first call.
     *
     * @param source where it is
     * @param constants what the source is specialised on
     * @param name the entry point
     * @return the kernel
     * @throws CudaException if it cannot be compiled or loaded
     */
    public Kernel kernel(KernelSource source, Constants constants, String name) {
        ModuleKey module = new ModuleKey(source, constants);
        return kernels.computeIfAbsent(new KernelKey(module, name), this::find);
    }

    private Kernel find(KernelKey key) {
        long module = modules.computeIfAbsent(key.module(), this::load);
        String name = key.name() + " of " + key.module().source().name();
        long[] function = new long[1];
        int status =
                context.run(() -> CudaDriver.cuModuleGetFunction(function, module, key.name()));
        CudaDriver.check(status, "Finding " + name);
        return new Kernel(name, function[0], context, device, capability >= EARLY_START_CAPABILITY);
    }

    private long load(ModuleKey key) {
        byte[] cubin = compiler.compile(key.source(), key.constants());
        long[] module = new long[1];
        int status = context.run(() -> CudaDriver.cuModuleLoadData(module, cubin));
        CudaDriver.check(
                status, "Loading " + key.source().name() + " " + key.constants().options());
        return module[0];
    }
}
