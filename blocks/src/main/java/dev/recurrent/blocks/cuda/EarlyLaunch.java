package dev.recurrent.blocks.cuda;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/** How the driver is told of a launch that starts beside the end of the kernel before it. */
final class EarlyLaunch {

    /** Bytes of a {@code CUlaunchConfig}, and where its members lie. */
    private static final int CONFIG_BYTES = 56;

    private static final int GRID = 0;
    private static final int BLOCK = 12;
    private static final int SHARED_BYTES = 24;
    private static final int STREAM = 32;
    private static final int ATTRIBUTES = 40;
    private static final int ATTRIBUTE_COUNT = 48;

    /** Bytes of a {@code CUlaunchAttribute}, and where its value lies. */
    private static final int ATTRIBUTE_BYTES = 72;

    private static final int VALUE = 8;

    /** CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION. */
    private static final int PROGRAMMATIC_STREAM_SERIALIZATION = 6;

    /** A thread's, for as long as the process; the driver reads it before a launch returns. */
    private static final ThreadLocal<Pointer> CONFIG = ThreadLocal.withInitial(EarlyLaunch::make);

    private EarlyLaunch() {}

    private static Pointer make() {
        long address = Native.malloc(CONFIG_BYTES + ATTRIBUTE_BYTES);
        Pointer config = new Pointer(address);
        config.clear(CONFIG_BYTES + ATTRIBUTE_BYTES);
        config.setInt(GRID + 2 * Integer.BYTES, 1);
        config.setInt(BLOCK + 2 * Integer.BYTES, 1);
        config.setLong(ATTRIBUTES, address + CONFIG_BYTES);
        config.setInt(ATTRIBUTE_COUNT, 1);
        config.setInt(CONFIG_BYTES, PROGRAMMATIC_STREAM_SERIALIZATION);
        config.setInt(CONFIG_BYTES + VALUE, 1);
        return config;
    }

    /**
     * Returns the address of the thread's {@code CUlaunchConfig}, filled in.
     *
     * @param size of the launch
     * @param stream to launch on
     */
    static long of(Kernel.Size size, long stream) {
        Pointer config = CONFIG.get();
        config.setInt(GRID, size.gridX());
        config.setInt(GRID + Integer.BYTES, size.gridY());
        config.setInt(BLOCK, size.blockX());
        config.setInt(BLOCK + Integer.BYTES, size.blockY());
        config.setInt(SHARED_BYTES, size.sharedBytes());
        config.setLong(STREAM, stream);
        return Pointer.nativeValue(config);
    }
}
