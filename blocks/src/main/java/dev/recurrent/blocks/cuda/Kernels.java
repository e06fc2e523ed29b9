package dev.recurrent.blocks.cuda;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.autograd.Tape;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which devices have kernels of our own. They are used on CUDA devices of compute capability 8.0
 * and above, unless the system property {@value #PROPERTY} is {@code off} or the thread works
 * {@link #without} them. A device without them says why once, in the log.
 */
public final class Kernels {

    /** The system property that switches kernels off. */
    public static final String PROPERTY = "dev.recurrent.cuda";

    private static final Logger LOGGER = LoggerFactory.getLogger(Kernels.class);
    private static final Map<Integer, Optional<CudaDevice>> DEVICES = new ConcurrentHashMap<>();
    private static final ThreadLocal<Boolean> SUSPENDED = ThreadLocal.withInitial(() -> false);

    private Kernels() {}

    /** Runs something on the portable forms, whatever the device. */
    public static <T> T without(Supplier<T> work) {
        boolean before = SUSPENDED.get();
        SUSPENDED.set(true);
        try {
            return work.get();
        } finally {
            SUSPENDED.set(before);
        }
    }

    /**
     * Returns the kernels of a device.
     *
     * @param device any device
     * @return its kernels; empty if the portable forms are to be used
     */
    public static Optional<CudaDevice> on(Device device) {
        if (!device.isGpu() || isOff() || SUSPENDED.get()) {
            return Optional.empty();
        }
        return DEVICES.computeIfAbsent(device.getDeviceId(), Kernels::open);
    }

    /**
     * Returns the kernels that can be applied to tensors: with autograd recording, only where a
     * tape takes gradients past them.
     *
     * @param first says which device
     * @param others all other tensors that gradients may flow into; null stands for no tensor
     * @return the device's kernels; empty if the portable forms are to be used
     */
    public static Optional<CudaDevice> taking(NDArray first, NDArray... others) {
        Optional<CudaDevice> device = on(first.getDevice());
        return device.isPresent() && Tape.takes(first) && Tape.takes(others)
                ? device
                : Optional.empty();
    }

    private static boolean isOff() {
        return "off".equalsIgnoreCase(System.getProperty(PROPERTY));
    }

    private static Optional<CudaDevice> open(int id) {
        try {
            return Optional.of(new CudaDevice(Device.gpu(id)));
        } catch (CudaException e) {
            LOGGER.warn(
                    "CUDA kernels are not used on gpu{}: {}. The portable forms run instead, more"
                            + " slowly; -D{}=off keeps this message away.",
                    id,
                    e.getMessage(),
                    PROPERTY);
            return Optional.empty();
        }
    }
}
