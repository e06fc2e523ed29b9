package dev.recurrent.blocks.cuda;

import com.sun.jna.Pointer;
import dev.recurrent.blocks.torch.Streams;
import java.util.function.IntSupplier;

/**
 * Numbers in the host's memory that kernels write: the host waits for the kernels before a mark
 * only, while later ones run.
 */
public final class HostLongs implements AutoCloseable {

    private final CudaDevice device;
    private final int size;
    private final long address;
    private final long event;
    private boolean closed;

    /**
     * Allocates the memory.
     *
     * @param device whose kernels write
     * @param size how many numbers
     * @throws CudaException if the driver refuses
     */
    public HostLongs(CudaDevice device, int size) {
        this.device = device;
        this.size = size;
        long[] made = new long[1];
        call("cuEventCreate", () -> CudaDriver.cuEventCreate(made, CudaDriver.EVENT_WITHOUT_TIME));
        event = made[0];
        call(
                "cuMemHostAlloc",
                () ->
                        CudaDriver.cuMemHostAlloc(
                                made, (long) size * Long.BYTES, CudaDriver.HOST_PORTABLE));
        address = made[0];
    }

    /** Returns where the numbers lie, for the host and for kernels. */
    public long address() {
        return address;
    }

    /** Marks the end of the work that writes the numbers, on the stream that PyTorch works on. */
    public void mark() {
        long stream = Streams.stream(device.device());
        call("cuEventRecord", () -> CudaDriver.cuEventRecord(event, stream));
    }

    /**
     * Waits for the work before the last mark, and returns the numbers.
     *
     * @throws CudaException if the work failed
     */
    public long[] await() {
        call("cuEventSynchronize", () -> CudaDriver.cuEventSynchronize(event));
        return new Pointer(address).getLongArray(0, size);
    }

    private void call(String name, IntSupplier function) {
        CudaDriver.check(device.context().run(function::getAsInt), name);
    }

    /** Waits for the work before the last mark and frees the memory. Closing twice is harmless. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            call("cuEventSynchronize", () -> CudaDriver.cuEventSynchronize(event));
            call("cuEventDestroy", () -> CudaDriver.cuEventDestroy_v2(event));
            call("cuMemFreeHost", () -> CudaDriver.cuMemFreeHost(address));
        }
    }
}
