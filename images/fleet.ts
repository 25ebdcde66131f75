import type { Fleet, FleetRow, Need } from "../core/fleet.ts";

const MAINPC = ["mainpc"]; // the RTX 4090 machine
const PC2 = ["pc2"]; // the RTX 3060 machine
const BOTH = [...MAINPC, ...PC2];

/** One row in the columns of seed 004, section F. Needs are joined by `/`; `*` marks one that is optional. */
function row(
  service: string,
  machines: readonly string[],
  needs: string,
  base: string,
  entrypoint: string,
  port: number,
  health: string,
  notes: string,
): FleetRow {
  const all = needs.toLowerCase().split("/");
  return {
    service,
    machines,
    needs: all.filter((need) => !need.endsWith("*")) as Need[],
    optionalNeeds: all.filter((need) => need.endsWith("*")).map((need) => need.slice(0, -1)) as Need[],
    base,
    entrypoint,
    port,
    health,
    notes,
  };
}

// biome-ignore format: a table, one row a line
const ROWS: readonly FleetRow[] = [
  row("ServiceRegistry", MAINPC, "CPU/Web", "family-web", "registry_entry.sh", 7200, "/health", "Redis URL env"),
  row("SystemDigitalTwin", MAINPC, "CPU", "base-cpu-pydeps", "digital_twin.sh", 7220, "/health", "sqlite + redis"),
  row("UnifiedSystemAgent", MAINPC, "CPU", "base-cpu-pydeps", "...", 7201, "...", ""),
  row("SelfHealingSupervisor", BOTH, "CPU/Docker", "base-cpu-pydeps", "...", 7009, "...", "needs docker.sock"),
  row("MemoryFusionHub", BOTH, "CPU/GPU*", "family-cpu-pydeps", "...", 5713, "...", "GPU optional"),
  row("ModelOpsCoordinator", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 7212, "...", "torch/vllm"),
  row("AffectiveProcessingCenter", MAINPC, "GPU", "family-torch-cu121", "...", 5560, "...", ""),
  row("RealTimeAudioPipeline", BOTH, "GPU/Audio", "family-torch-cu121", "...", 5557, "...", "uses whisper"),
  row("UnifiedObservabilityCenter", BOTH, "CPU/Web", "family-web", "...", 9100, "...", "prometheus"),
  row("CodeGenerator", MAINPC, "CPU", "base-cpu-pydeps", "...", 5650, "...", ""),
  row("PredictiveHealthMonitor", MAINPC, "CPU", "base-cpu-pydeps", "...", 5613, "...", ""),
  row("Executor", MAINPC, "CPU", "base-cpu-pydeps", "...", 5606, "...", ""),
  row("TinyLlamaServiceEnhanced", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 5615, "...", "optional"),
  row("SmartHomeAgent", MAINPC, "CPU/Web", "family-web", "...", 7125, "...", ""),
  row("CrossMachineGPUScheduler", MAINPC, "CPU", "base-cpu-pydeps", "...", 7155, "...", "needs grpc"),
  row("ChainOfThoughtAgent", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 5612, "...", ""),
  row("CognitiveModelAgent", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 5641, "...", "optional"),
  row("FaceRecognitionAgent", MAINPC, "GPU/Vision", "family-vision-cu121", "...", 5610, "...", "opencv"),
  row("LearningOpportunityDetector", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 7202, "...", ""),
  row("LearningManager", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 5580, "...", ""),
  row("ActiveLearningMonitor", MAINPC, "CPU", "base-cpu-pydeps", "...", 5638, "...", ""),
  row("IntentionValidatorAgent", MAINPC, "CPU", "legacy-py310-cpu", "...", 5701, "...", "legacy py310"),
  row("NLUAgent", MAINPC, "CPU", "legacy-py310-cpu", "...", 5709, "...", ""),
  row("AdvancedCommandHandler", MAINPC, "CPU", "legacy-py310-cpu", "...", 5710, "...", ""),
  row("ChitchatAgent", MAINPC, "CPU", "legacy-py310-cpu", "...", 5711, "...", ""),
  row("FeedbackHandler", MAINPC, "CPU", "legacy-py310-cpu", "...", 5636, "...", ""),
  row("Responder", MAINPC, "GPU/Audio", "family-torch-cu121", "...", 5637, "...", ""),
  row("DynamicIdentityAgent", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 5802, "...", ""),
  row("EmotionSynthesisAgent", MAINPC, "GPU/Audio", "family-torch-cu121", "...", 5706, "...", ""),
  row("STTService", MAINPC, "GPU/Audio", "family-torch-cu121", "...", 5800, "...", "whisper"),
  row("TTSService", MAINPC, "GPU/Audio", "family-torch-cu121", "...", 5801, "...", "xtts"),
  row("AudioCapture", MAINPC, "CPU/Audio", "base-cpu-pydeps", "...", 6550, "...", "optional"),
  row("StreamingSpeechRecognition", MAINPC, "GPU/Audio", "family-torch-cu121", "...", 6553, "...", "optional"),
  row("StreamingTTSAgent", MAINPC, "GPU/Audio", "family-torch-cu121", "...", 5562, "...", ""),
  row("ProactiveAgent", MAINPC, "GPU/LLM", "family-llm-cu121", "...", 5624, "...", ""),
  row("EmotionEngine", MAINPC, "CPU", "base-cpu-pydeps", "...", 5590, "...", ""),
  row("MoodTrackerAgent", MAINPC, "CPU", "base-cpu-pydeps", "...", 5704, "...", ""),
  row("HumanAwarenessAgent", MAINPC, "CPU", "base-cpu-pydeps", "...", 5705, "...", ""),
  row("ToneDetector", MAINPC, "CPU", "base-cpu-pydeps", "...", 5625, "...", ""),
  row("VoiceProfilingAgent", MAINPC, "CPU", "base-cpu-pydeps", "...", 5708, "...", ""),
  row("EmpathyAgent", MAINPC, "GPU/Audio", "family-torch-cu121", "...", 5703, "...", ""),
  row("CloudTranslationService", MAINPC, "CPU/Web", "family-web", "...", 5592, "...", ""),
  row("StreamingTranslationProxy", MAINPC, "CPU/Web", "family-web", "...", 5596, "...", "websocket"),
  row("ObservabilityDashboardAPI", MAINPC, "CPU/Web", "family-web", "...", 8001, "...", ""),
  row("CentralErrorBus", PC2, "CPU/Web", "family-web", "...", 7150, "...", ""),
  row("RealTimeAudioPipelinePC2", PC2, "GPU/Audio", "family-torch-cu121", "...", 5557, "...", ""),
  row("TieredResponder", PC2, "CPU", "base-cpu-pydeps", "...", 7100, "...", ""),
  row("AsyncProcessor", PC2, "CPU", "base-cpu-pydeps", "...", 7101, "...", ""),
  row("CacheManager", PC2, "CPU", "base-cpu-pydeps", "...", 7102, "...", ""),
  row("VisionProcessingAgent", PC2, "GPU/Vision", "family-vision-cu121", "...", 7160, "...", ""),
  row("DreamWorldAgent", PC2, "GPU/Vision", "family-vision-cu121", "...", 7104, "...", ""),
  row("ResourceManager", PC2, "CPU", "base-cpu-pydeps", "...", 7113, "...", ""),
  row("TaskScheduler", PC2, "CPU", "base-cpu-pydeps", "...", 7115, "...", ""),
  row("AuthenticationAgent", PC2, "CPU", "base-cpu-pydeps", "...", 7116, "...", ""),
  row("UnifiedUtilsAgent", PC2, "CPU", "base-cpu-pydeps", "...", 7118, "...", ""),
  row("ProactiveContextMonitor", PC2, "CPU", "base-cpu-pydeps", "...", 7119, "...", ""),
  row("AgentTrustScorer", PC2, "CPU", "base-cpu-pydeps", "...", 7122, "...", ""),
  row("FileSystemAssistantAgent", PC2, "CPU", "base-cpu-pydeps", "...", 7123, "...", ""),
  row("RemoteConnectorAgent", PC2, "CPU", "base-cpu-pydeps", "...", 7124, "...", ""),
  row("UnifiedWebAgent", PC2, "CPU/Web", "family-web", "...", 7126, "...", ""),
  row("DreamingModeAgent", PC2, "GPU/Vision", "family-vision-cu121", "...", 7127, "...", ""),
  row("AdvancedRouter", PC2, "CPU", "base-cpu-pydeps", "...", 7129, "...", ""),
  row("UnifiedObservabilityCenter (pc2)", PC2, "CPU/Web", "family-web", "...", 9100, "...", ""),
  row("TutoringServiceAgent", PC2, "CPU", "base-cpu-pydeps", "...", 7108, "...", ""),
  row("SpeechRelayService", PC2, "GPU/Audio", "family-torch-cu121", "...", 7130, "...", ""),
];

/** Bytes of parameters. @example weights(1.1, 2) // "2.2 GB": 1.1 billion at 2 bytes */
function weights(billions: number, bytes: number): `${number} GB` {
  return `${Math.round(billions * bytes * 10) / 10} GB`;
}

// CUDA context of a torch process with lazy loading, torch's default since 1.13: 287,047,680 bytes measured in
// https://github.com/pytorch/pytorch/pull/86509.
const CONTEXT = "300 MB";
const CONTEXT_SOURCE = "context: pytorch/pytorch#86509";

/**
 * Seed 004's fleet: 65 rows of 64 services (UnifiedObservabilityCenter has one row for both machines and one for pc2) and what
 * the rest of 004 says around them. The table wins over section E, where that names other ports (8212, 6713) and another family.
 */
export const FLEET: Fleet = {
  rows: ROWS,
  families: {
    "base-cpu-pydeps": { aliases: ["family-cpu-pydeps"], provides: ["cpu"], service: "service-cpu" },
    "family-web": { provides: ["cpu", "web"], service: "service-web" },
    "family-torch": { provides: ["cpu", "gpu"], cuda: true, service: "service-torch" },
    "family-llm": { provides: ["cpu", "gpu", "llm"], cuda: true, service: "service-llm" },
    "family-vision": { provides: ["cpu", "gpu", "vision"], cuda: true, service: "service-vision" },
    "legacy-py310-cpu": { provides: ["cpu"], service: "service-legacy" },
  },
  // Section E.
  entrypoints: {
    ModelOpsCoordinator: "model_ops_entrypoint.sh",
    MemoryFusionHub: "memory_fusion_entrypoint.sh",
  },
  defaultEntrypoint: "service_entry.sh",
  gpuMemory: {
    services: {
      ModelOpsCoordinator: {
        pinned: CONTEXT,
        evictable: weights(7, 2),
        source: `${CONTEXT_SOURCE}; assumed: a model of 7 billion parameters in 16 bits, vllm's default`,
      },
      TTSService: {
        pinned: CONTEXT,
        evictable: "2.1 GB",
        source: `${CONTEXT_SOURCE}; XTTS v2: coqui-ai/TTS#3976`,
      },
    },
    needs: {
      gpu: {
        pinned: CONTEXT,
        evictable: weights(0.11, 4),
        source: `${CONTEXT_SOURCE}; assumed: a model of BERT-base's size, 110 million parameters in 32 bits`,
      },
      audio: {
        pinned: CONTEXT,
        evictable: "2 GB",
        source: `${CONTEXT_SOURCE}; whisper small: README of openai/whisper, "Required VRAM"`,
      },
      llm: {
        pinned: CONTEXT,
        evictable: weights(1.1, 2),
        source: `${CONTEXT_SOURCE}; TinyLlama's 1.1 billion parameters in 16 bits: jzhang38/TinyLlama`,
      },
      vision: {
        pinned: CONTEXT,
        evictable: weights(0.11, 4),
        source: `${CONTEXT_SOURCE}; assumed: an ONNX model of 110 million parameters in 32 bits`,
      },
    },
  },
  // Section "Implementation Plan", step 5: core, then GPU families on MainPC, then CPU families on PC2.
  waves: [
    { name: "core", services: ["ServiceRegistry", "SystemDigitalTwin"] },
    { name: "gpu-mainpc", machine: "mainpc", gpu: true },
    { name: "cpu-pc2", machine: "pc2", gpu: false },
  ],
};
