package dev.recurrent.blocks.cuda;

import ai.djl.Device;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import dev.recurrent.blocks.torch.Streams;

/** One entry point of a compiled source, on one device. */
public final class Kernel {

    private static final int MOST_ARGUMENTS = 32;

    /** What a kernel may have without asking. */
    private static final int DEFAULT_SHARED_BYTES = 48 * 1024;

    /**
     * Per thread, the array of pointers that the driver wants, and the values that they point to.
     * The driver copies them before a launch returns.
     */
    private static final ThreadLocal<Pointer> ARGUMENTS = ThreadLocal.withInitial(Kernel::allocate);

    private final String name;
    private final long function;
    private final CudaContext context;
    private final Device device;
    private final boolean startsEarly;
    private volatile int allowedShared = DEFAULT_SHARED_BYTES;

    /**
     * Constructs a kernel.
     *
     * @param startsEarly whether the device can start one kernel beside the end of another
     */
    Kernel(String name, long function, CudaContext context, Device device, boolean startsEarly) {
        this.name = name;
        this.function = function;
        this.context = context;
        this.device = device;
        this.startsEarly = startsEarly;
    }

    /**
     * How many threads run a kernel.
     *
     * @param gridX blocks
     * @param gridY blocks, at most 65535
     * @param blockX threads of a block
     * @param blockY threads of a block; blockX·blockY is at most 1024
     * @param sharedBytes dynamic shared memory of a block
     */
    public record Size(int gridX, int gridY, int blockX, int blockY, int sharedBytes) {

        /** Without dynamic shared memory. */
        public Size(int gridX, int gridY, int blockX, int blockY) {
            this(gridX, gridY, blockX, blockY, 0);
        }
    }

    /** Never freed: a thread's few hundred bytes, for as long as the process. */
    private static Pointer allocate() {
        long address = Native.malloc(2L * MOST_ARGUMENTS * Long.BYTES);
        Pointer memory = new Pointer(address);
        for (int i = 0; i < MOST_ARGUMENTS; i++) {
            memory.setLong(
                    (long) i * Long.BYTES, address + (MOST_ARGUMENTS + i) * (long) Long.BYTES);
        }
        return memory;
    }

    /**
     * Starts the kernel on the stream that PyTorch works on, after all work there. An error while
     * it runs shows at a later call, as CUDA's errors do.
     *
     * @param size how many threads
     * @param arguments one for each parameter: device addresses and integers as they are, floats as
     *     {@link Float#floatToRawIntBits}; a structure, which must be the last parameter, as its
     *     8-byte members
     * @throws CudaException if the driver refuses
     */
    public void launch(Size size, long... arguments) {
        launch(size, false, arguments);
    }

    /**
     * As {@link #launch}, but where the device can, blocks start beside the last ones of the kernel
     * before ("programmatic dependent launch"). The source calls {@code awaitPrevious} before it
     * touches anything that kernels before it may still write or read.
     */
    public void launchEarly(Size size, long... arguments) {
        launch(size, startsEarly, arguments);
    }

    private void launch(Size size, boolean early, long... arguments) {
        if (arguments.length > MOST_ARGUMENTS) {
            throw new IllegalArgumentException(
                    name + " has " + arguments.length + " parameters, the most are 32");
        }
        Pointer memory = ARGUMENTS.get();
        memory.write((long) MOST_ARGUMENTS * Long.BYTES, arguments, 0, arguments.length);
        long pointers = Pointer.nativeValue(memory);
        allowShared(size.sharedBytes());
        int status = context.run(() -> early ? startEarly(size, pointers) : start(size, pointers));
        CudaDriver.check(status, "Launching " + name + " as " + size);
    }

    /** More than what every device gives is given to those that ask. */
    private void allowShared(int bytes) {
        if (bytes <= allowedShared) {
            return;
        }
        int status =
                context.run(
                        () ->
                                CudaDriver.cuFuncSetAttribute(
                                        function, CudaDriver.MOST_DYNAMIC_SHARED, bytes));
        CudaDriver.check(status, "Giving " + name + " " + bytes + " bytes of shared memory");
        allowedShared = bytes;
    }

    private int startEarly(Size size, long arguments) {
        return CudaDriver.cuLaunchKernelEx(
                EarlyLaunch.of(size, Streams.stream(device)), function, arguments, 0);
    }

    private int start(Size size, long arguments) {
        return CudaDriver.cuLaunchKernel(
                function,
                size.gridX(),
                size.gridY(),
                1,
                size.blockX(),
                size.blockY(),
                1,
                size.sharedBytes(),
                Streams.stream(device),
                arguments,
                0);
    }
}
