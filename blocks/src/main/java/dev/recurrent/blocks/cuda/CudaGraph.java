package dev.recurrent.blocks.cuda;

import dev.recurrent.blocks.torch.Retention;
import dev.recurrent.blocks.torch.Streams;
import java.util.function.IntSupplier;

/**
 * Work on tensors that is recorded once and then started as a whole, however many kernels it has.
 *
 * <p>A replay reads and writes the very memory that the recorded work did: inputs change in place,
 * and everything that the work made lives until the graph is closed. Recorded work must not read
 * from the device and must not copy to it; one that does is refused when it is recorded.
 */
public final class CudaGraph implements AutoCloseable {

    private final CudaDevice device;
    private final Retention retention = new Retention();
    private final long stream;
    private long executable;
    private boolean closed;

    private CudaGraph(CudaDevice device) {
        this.device = device;
        stream = device.takeStream();
    }

    /**
     * Records work, which does not run, on a thread and a stream of its own.
     *
     * @param device where the work's tensors lie
     * @param work what to record. CUDA may refuse to record what it first has to load: such work
     *     can be recorded once it has run
     * @return the graph, to be closed
     * @throws CudaException if the work cannot be recorded
     */
    public static CudaGraph record(CudaDevice device, Runnable work) {
        CudaGraph graph = new CudaGraph(device);
        try {
            Retention.onOwnThread(
                    () ->
                            Streams.onStream(
                                    device.device(), graph.stream, () -> graph.capture(work)));
            return graph;
        } catch (RuntimeException | Error e) {
            graph.close();
            throw e;
        }
    }

    private void capture(Runnable work) {
        call(
                "cuStreamBeginCapture",
                () -> CudaDriver.cuStreamBeginCapture_v2(stream, CudaDriver.CAPTURE_RELAXED));
        long[] graph = new long[1];
        int status;
        try {
            retention.keeping(work);
        } catch (RuntimeException e) {
            throw new CudaException("Work that cannot be recorded in a graph: " + e, e);
        } finally {
            status = device.context().run(() -> CudaDriver.cuStreamEndCapture(stream, graph));
        }
        CudaDriver.check(status, "cuStreamEndCapture");
        try {
            instantiate(graph[0]);
        } finally {
            call("cuGraphDestroy", () -> CudaDriver.cuGraphDestroy(graph[0]));
        }
    }

    private void instantiate(long graph) {
        long[] made = new long[1];
        call("cuGraphInstantiate", () -> CudaDriver.cuGraphInstantiateWithFlags(made, graph, 0));
        executable = made[0];
    }

    /**
     * Starts the recorded work on the stream that PyTorch works on, after all work there.
     *
     * @throws CudaException if the driver refuses
     * @throws IllegalStateException if the graph is closed
     */
    public void replay() {
        if (closed) {
            throw new IllegalStateException("The graph is closed");
        }
        long current = Streams.stream(device.device());
        call("cuGraphLaunch", () -> CudaDriver.cuGraphLaunch(executable, current));
    }

    private void call(String name, IntSupplier function) {
        CudaDriver.check(device.context().run(function::getAsInt), name);
    }

    /** Waits for the last replay and frees what the work made. Closing twice is harmless. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (executable != 0) {
            long current = Streams.stream(device.device());
            call("cuStreamSynchronize", () -> CudaDriver.cuStreamSynchronize(current));
            call("cuGraphExecDestroy", () -> CudaDriver.cuGraphExecDestroy(executable));
        }
        retention.close();
        device.giveBack(stream);
    }
}
