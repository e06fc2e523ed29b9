package dev.recurrent.evaluation.bench;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.evaluation.report.Memory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * Times workloads: warm-up first, then repetitions until they are many or took long, of which the
 * median counts. Every repetition waits for the device, kernels one in ten.
 */
public final class Bench {

    private static final int LEAST_RUNS = 3;
    private static final int MOST_RUNS = 100;
    private static final double SECONDS = 2;
    private static final double WARM_UP_SECONDS = 0.3;

    /** How often a kernel is started before the host waits. */
    private static final int IN_A_ROW = 10;

    private final NDManager manager;
    private final Consumer<Measurement> listener;
    private final List<Measurement> measurements = new ArrayList<>();
    private final List<Ratio> ratios = new ArrayList<>();

    /**
     * Constructs a bench without results.
     *
     * @param manager on the device to measure
     * @param listener is told each result when it is there
     */
    public Bench(NDManager manager, Consumer<Measurement> listener) {
        this.manager = manager;
        this.listener = listener;
    }

    /** Returns the manager on the device to measure. */
    NDManager manager() {
        return manager;
    }

    /** Returns a new manager on that device, for what is freed before the next measurement. */
    public NDManager newManager() {
        return manager.newSubManager();
    }

    /** Times a workload that records no gradients. */
    Measurement time(String work, String form, long tokens, Workload workload) {
        return GradientMode.off(() -> timeAsIs(work, form, tokens, workload));
    }

    /**
     * Times a workload that asks little of the host, without gradients: several in a row, while the
     * device works on the ones before.
     */
    Measurement timeInARow(String work, String form, long tokens, Workload workload) {
        return GradientMode.off(() -> time(work, form, tokens, workload, IN_A_ROW));
    }

    /**
     * Times a forward and a backward pass; the workload returns the scalar that is differentiated.
     */
    Measurement timeGradient(String work, String form, long tokens, Workload workload) {
        return timeAsIs(work, form, tokens, new Backward(workload));
    }

    /** Times a workload the first time, without warm-up. */
    void once(String work, String form, long tokens, Workload workload) {
        add(new Measurement(work, form, seconds(workload, 1), tokens, 0, 1));
    }

    /** Notes how much longer one took than the other. */
    void compare(String name, Measurement dividend, Measurement divisor) {
        ratios.add(new Ratio(name, dividend.seconds() / divisor.seconds()));
    }

    /** Returns all results so far. */
    public List<Measurement> measurements() {
        return List.copyOf(measurements);
    }

    /** Returns all comparisons so far. */
    public List<Ratio> ratios() {
        return List.copyOf(ratios);
    }

    /** Times a workload that sees to its gradients itself. */
    Measurement timeAsIs(String work, String form, long tokens, Workload workload) {
        return time(work, form, tokens, workload, 1);
    }

    private Measurement time(String work, String form, long tokens, Workload workload, int inARow) {
        Device device = manager.getDevice();
        long taken = Memory.resetPeak(device);
        double spent = 0;
        do {
            spent += inARow * seconds(workload, inARow);
        } while (spent < WARM_UP_SECONDS);
        List<Double> times = new ArrayList<>();
        double total = 0;
        while (times.size() < LEAST_RUNS || (total < SECONDS && times.size() < MOST_RUNS)) {
            double seconds = seconds(workload, inARow);
            times.add(seconds);
            total += inARow * seconds;
        }
        long peak = Memory.peak(device);
        Measurement measurement =
                new Measurement(
                        work,
                        form,
                        median(times),
                        tokens,
                        taken == 0 ? 0 : Math.max(0, peak - taken),
                        times.size());
        add(measurement);
        return measurement;
    }

    /** Takes a result that was found otherwise. */
    void add(Measurement measurement) {
        measurements.add(measurement);
        listener.accept(measurement);
    }

    /** Returns the time of one of several runs, of which the host awaits the last. */
    private double seconds(Workload workload, int inARow) {
        long start = System.nanoTime();
        for (int i = 0; i < inARow; i++) {
            try (NDManager scope = manager.newSubManager();
                    NDScope made = new NDScope()) {
                made.suppressNotUsedWarning();
                NDArray result = workload.run(scope);
                if (i == inARow - 1) {
                    await(result);
                    return (System.nanoTime() - start) / 1e9 / inARow;
                }
            }
        }
        throw new IllegalArgumentException("Nothing to run");
    }

    /** Copies one element to the host, which comes after all work before it. */
    private static void await(NDArray result) {
        NDArray first = Aten.narrow(result.reshape(-1), 0, 0, 1);
        // DJL ends the JVM where it is to copy a type that it does not know from a device.
        Torch.cast(first, ScalarType.FLOAT32).toByteBuffer();
    }

    private static double median(List<Double> times) {
        double[] sorted = times.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1
                ? sorted[middle]
                : Arrays.stream(sorted, middle - 1, middle + 1).average().orElseThrow();
    }
}
