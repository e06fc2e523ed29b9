package dev.recurrent.evaluation.cli;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import dev.recurrent.evaluation.InvalidInputException;
import picocli.CommandLine.Option;

/** Where tensors live. */
final class DeviceOption {

    @Option(
            names = "--device",
            defaultValue = "cpu",
            paramLabel = "DEVICE",
            converter = DeviceConverter.class,
            description = "cpu, gpu or gpu0, gpu1 … (default: ${DEFAULT-VALUE}).")
    private Device device;

    /**
     * Returns the device.
     *
     * @throws InvalidInputException if this machine has none such
     */
    Device device() {
        int gpus = device.isGpu() ? Engine.getEngine("PyTorch").getGpuCount() : 0;
        if (device.isGpu() && device.getDeviceId() >= gpus) {
            throw new InvalidInputException(
                    "There is no "
                            + device
                            + ": PyTorch sees "
                            + gpus
                            + " GPUs (set PYTORCH_LIBRARY_PATH to a PyTorch with CUDA)");
        }
        return device;
    }

    /** Returns a new manager on the device. */
    NDManager newManager() {
        return NDManager.newBaseManager(device(), "PyTorch");
    }
}
