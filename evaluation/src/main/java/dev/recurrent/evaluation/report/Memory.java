package dev.recurrent.evaluation.report;

import ai.djl.Device;
import ai.djl.util.cuda.CudaUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** How much memory the process has taken. */
public final class Memory {

    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path CLEAR = Path.of("/proc/self/clear_refs");
    private static final String PEAK = "VmHWM:";
    private static final String RESIDENT = "VmRSS:";

    private Memory() {}

    /**
     * Returns the peak so far: of the process's resident memory (Linux), or of what is taken on a
     * CUDA device, where PyTorch keeps what it once took.
     *
     * @param device whose memory
     * @return bytes; 0 where it cannot be told
     */
    public static long peak(Device device) {
        if (device.isGpu()) {
            return CudaUtils.getGpuMemory(device).getCommitted();
        }
        return read(PEAK);
    }

    /**
     * Makes the peak of host memory begin anew. What PyTorch keeps on a CUDA device stays taken.
     *
     * @param device whose memory
     * @return what is taken now, in bytes; 0 where it cannot be told
     */
    public static long resetPeak(Device device) {
        if (device.isGpu()) {
            return peak(device);
        }
        try {
            // See proc(5): 5 resets the peak resident set size.
            Files.writeString(CLEAR, "5");
            return read(RESIDENT);
        } catch (IOException e) {
            return 0;
        }
    }

    private static long read(String field) {
        try (Stream<String> lines = Files.lines(STATUS)) {
            return lines.filter(line -> line.startsWith(field))
                    .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }
}
